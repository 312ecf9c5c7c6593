"""Cells: a small spec goes in, one result file comes out, each in a process of its own that is started fresh.

A process group each, killed whole when it runs over its time or when this process is interrupted. A cell ends by
itself when this process dies, with all that it started: its `guard` watches a pipe that only this process holds open.
What it leaves, a result and a log, is believed in nothing: both are read with a bound.
"""

import contextvars
import json
import tempfile
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from compare import plain, plain_files, progress
from compare.cells import forms, guard, kept, process
from compare.cells.process import Process

ROOT, THREAD_VARIABLES = process.ROOT, process.THREAD_VARIABLES
IN_A_FILE = (
    "ok",
    "raised",
    "missing",
    "not offered",
    "broken",
)  # what a worker says itself; the rest is seen from outside
ARRAYS = 10_000  # in one result; parity has 700
elsewhere: contextvars.ContextVar = contextvars.ContextVar("elsewhere", default=None)  # see `placing`


@dataclass
class Result:
    """What became of a cell.

    status: "ok"; "raised" (the code under test raised; `error` says what and where), "crashed" (died without a result),
    "hung" (killed at its limit), "missing" (the framework is not installed) or "not offered" (the implementation has
    not what the task needs), "broken" (an error of this project's own) or "lost" (the machines that it was placed on
    went away). A cell that crashed or hung may have left a partial result in the file that its spec names: arrays and
    meta hold that.
    """

    spec: dict
    status: str
    arrays: dict = field(default_factory=dict)
    meta: dict = field(default_factory=dict)
    error: str = ""
    log: str = ""


def write_result(path, meta, arrays=None):
    """Write a result file, whole or not at all: arrays by name, and `meta` as JSON beside them."""
    text = np.array(json.dumps(meta))
    try:
        with plain_files.replacing(path) as temporary, temporary.open("xb") as file:
            np.savez(file, allow_pickle=False, **(arrays or {}), meta=text)
    except OSError as error:  # NumPy's does not say of which file
        raise type(error)(error.errno, error.strerror or str(error), str(path)) from error


def read_arrays(path):
    """(arrays, meta) of a file that `write_result` wrote."""
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files if name != "meta"}
        return arrays, dict(json.loads(str(file["meta"])))


def run(specs, jobs=1, done=lambda result: None, module="compare.cells.worker", anywhere=False):
    """Run cells, at most `jobs` at a time, and return their `Result`s in the order of the specs.

    Inside of `kept.keeping` those that ended are kept, and those kept before are not run again.

    Args:
        specs: dicts that JSON can hold, with at least `task`, `implementation`, `threads` and `limit` (seconds);
            `environment` holds variables of the process beside those that every cell has.
        jobs: processes at once; 1 for anything that is timed.
        done: called with each `Result` as it comes in.
        module: what runs in the process, given the path of its spec.
        anywhere: inside of `placing.on` a scheduler places these cells, as many at once as it has room for. The files
            and folders that a spec names by absolute paths go with it; nothing else of this machine does.
    """
    results: dict[int, Result] = {}
    away = elsewhere.get() if anywhere else None
    with tempfile.TemporaryDirectory(prefix="cnn-compare-") as folder:
        waiting, places = deque(enumerate(specs)), {}
        if (keeper := kept.current()) is not None:
            places = {number: keeper.place(spec) for number, spec in waiting}
            results = {number: found for number, spec in waiting if (found := _recalled(places[number], spec))}
            waiting = deque(each for each in waiting if each[0] not in results)
            for found in results.values():
                done(found)
        running: dict = {}
        said: set[int] = set()
        try:
            while waiting or running:
                while waiting and len(running) < (away.room() if away else jobs):
                    number, spec = waiting.popleft()
                    try:
                        running[number] = (
                            away.start(spec, module) if away else Process(spec, Path(folder) / str(number), module)
                        )
                    except OSError as error:  # no memory for another process
                        process.check_space(folder, error)
                        results[number] = Result(spec, "crashed", error=f"the process could not be started: {error}")
                        done(results[number])
                if running.keys() != said:
                    said = set(running)
                    progress.running(each.spec["implementation"] for each in running.values())
                for number, each in list(running.items()):
                    ended = each.poll()
                    if ended is not None:
                        del running[number]
                        results[number] = result = judged(each.spec, ended)
                        if number in places and result.status in IN_A_FILE:
                            about = {"status": result.status, "error": result.error, "log": result.log}
                            write_result(places[number], {"meta": result.meta, **about}, result.arrays)
                        done(result)
                time.sleep(0.02)
        finally:
            for each in running.values():
                each.kill()
    return [results[number] for number in range(len(specs))]


def _recalled(path, spec):
    """The `Result` that a run before this one kept; None where there is none, or it is damaged."""
    most = process.LARGEST * process.TIMES
    arrays, about, _ = _read(process.content_of(path, most), most)
    return Result(spec, about.pop("status"), arrays, about.pop("meta"), **about) if about else None


def judged(spec, ended):
    """The `Result` of a cell by what it left."""
    if ended.lost:
        return Result(spec, "lost", error=ended.lost)
    most, task, swept = process.most_of(spec), spec.get("task"), ended.swept
    arrays, meta, damage = _read(ended.result, most)
    status = meta.pop("status", None)
    if status == "ok" and not forms.is_result(task, arrays, meta):
        status, damage = None, "a result that is none of this task"
    if status in IN_A_FILE and not (status == "raised" and swept):
        return Result(spec, status, arrays, meta, plain.lines(meta.pop("error", "")), ended.log)
    arrays, meta, _ = _read(ended.partial, most)
    if meta.get("at") != "import" and not forms.is_result(task, arrays, meta):
        arrays, meta = {}, {}
    if ended.code is None:
        return Result(spec, "hung", arrays, meta, f"no result within {spec['limit']:g} s", ended.log)
    error = f"the process ended with {guard.ending(ended.code)} and left {damage or 'a result that names no status'}"
    if swept:
        error += f"; {swept[0]} is gone: something else cleaned the temporary files while it ran"
    return Result(spec, "crashed", arrays, meta, error, ended.log)


def _read(content, most):
    """(arrays, meta, what is wrong) of the bytes of a result file that need not be whole, or of why there are none."""
    if isinstance(content, str):
        return {}, {}, content
    try:
        members = plain_files.zip_members(content, ARRAYS)
        if sum(info.file_size for info in members.values()) > most:
            raise ValueError(f"found more than {most} bytes packed into it")
        arrays = {
            name.removesuffix(".npy"): plain_files.npy_array(plain_files.unpacked(content, info))
            for name, info in members.items()
        }
        return arrays, dict(json.loads(str(arrays.pop("meta")))), ""
    except Exception as error:  # a damaged file meets JSON and others, each with errors of its own
        return {}, {}, process.unreadable(error)
