"""Cells: a small spec goes in, one result file comes out, each in a process of its own that is started fresh.

A process group each, killed whole when it runs over its time or when this process is interrupted. A cell ends by
itself when this process dies, with all that it started: its `guard` watches a pipe that only this process holds open.
What it leaves, a result and a log, is believed in nothing: both are read with a bound.
"""

import contextlib
import errno
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from compare import forms, guard, kept, plain, plain_files, progress

IN_A_FILE = (
    "ok",
    "raised",
    "missing",
    "not offered",
    "broken",
)  # what a worker says itself; the rest is seen from outside
LARGEST = 1 << 26  # bytes of a result that are read
TIMES = 10  # times the size of what a cell was given may come on top: larger images have larger gradients
ARRAYS = 10_000  # in one result; parity has 700
LOG = 4000  # characters, the last ones, that are kept of what was printed
ROOM = 1 << 20  # bytes below which a folder for temporary files is full
FULL = (errno.ENOSPC, errno.EDQUOT)
ROOT = Path(__file__).resolve().parent.parent
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)


@dataclass
class Result:
    """What became of a cell.

    status: "ok"; "raised" (the code under test raised; `error` says what and where), "crashed" (died without a result),
    "hung" (killed at its limit), "missing" (the framework is not installed) or "not offered" (the implementation has
    not what the task needs) or "broken" (an error of this project's own). A cell that crashed or hung may have left a
    partial result in the file that its spec
    names: arrays and meta hold that.
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


def run(specs, jobs=1, done=lambda result: None, module="compare.worker"):
    """Run cells, at most `jobs` at a time, and return their `Result`s in the order of the specs.

    Inside of `kept.keeping` those that ended are kept, and those kept before are not run again.

    Args:
        specs: dicts that JSON can hold, with at least `task`, `implementation`, `threads` and `limit` (seconds);
            `environment` holds variables of the process beside those that every cell has.
        jobs: processes at once; 1 for anything that is timed.
        done: called with each `Result` as it comes in.
        module: what runs in the process, given the path of its spec.
    """
    results: dict[int, Result] = {}
    with tempfile.TemporaryDirectory(prefix="cnn-compare-") as folder:
        waiting, places = list(enumerate(specs)), {}
        if (keeper := kept.current()) is not None:
            places = {number: keeper.place(spec) for number, spec in waiting}
            results = {number: found for number, spec in waiting if (found := _recalled(places[number], spec))}
            waiting = [each for each in waiting if each[0] not in results]
            for found in results.values():
                done(found)
        running: dict[int, _Process] = {}
        said: set[int] = set()
        try:
            while waiting or running:
                while waiting and len(running) < jobs:
                    number, spec = waiting.pop(0)
                    try:
                        running[number] = _Process(spec, Path(folder) / str(number), module)
                    except OSError as error:  # no memory for another process
                        _check_space(folder, error)
                        results[number] = Result(spec, "crashed", error=f"the process could not be started: {error}")
                        done(results[number])
                if running.keys() != said:
                    said = set(running)
                    progress.running(process.spec["implementation"] for process in running.values())
                for number, process in list(running.items()):
                    result = process.poll()
                    if result is not None:
                        del running[number]
                        results[number] = result
                        if number in places and result.status in IN_A_FILE:
                            about = {"status": result.status, "error": result.error, "log": result.log}
                            write_result(places[number], {"meta": result.meta, **about}, result.arrays)
                        done(result)
                time.sleep(0.02)
        finally:
            for process in running.values():
                process.kill()
    return [results[number] for number in range(len(specs))]


def _recalled(path, spec):
    """The `Result` that a run before this one kept; None where there is none, or it is damaged."""
    arrays, about, _ = _read(path, LARGEST * TIMES)
    return Result(spec, about.pop("status"), arrays, about.pop("meta"), **about) if about else None


class _Process:
    """One worker and its process group."""

    def __init__(self, spec, folder, module):
        folder.mkdir(parents=True)  # its parent may have been swept away since
        self.spec = spec
        self.result = folder / "result.npz"
        given = spec.get("inputs")
        self.most = LARGEST + TIMES * (os.path.getsize(given) if given and Path(given).is_file() else 0)  # noqa: PTH202
        spec_file = folder / "spec.json"
        self.partial = folder / "partial.npz"
        spec_file.write_text(json.dumps({**spec, "result": str(self.result), "partial": str(self.partial)}))
        self.log = (folder / "log.txt").open("w+b")  # held open: what is there under its name later may be anything
        try:
            self.process = subprocess.Popen(
                # -P and start: neither the folder this is started from nor the project's may shadow a framework
                [sys.executable, "-P", str(ROOT / "compare" / "start.py"), module, str(spec_file)],
                stdin=subprocess.PIPE,
                stdout=self.log,
                stderr=subprocess.STDOUT,
                env={
                    **_environment(spec["threads"], folder),
                    **spec.get("environment", {}),
                    guard.FILE_LIMIT: str(max(self.most, guard.FILE)),
                },
                start_new_session=True,
            )
        except OSError:
            self.log.close()
            raise
        self.end = time.monotonic() + spec["limit"]

    def poll(self):
        """The `Result`, or None while the process runs within its limit."""
        code = self.process.poll()
        if code is None and time.monotonic() < self.end:
            return None
        log = _tail(self.log)
        self.kill()
        arrays, meta, damage = _read(self.result, self.most)
        status = meta.pop("status", None)
        swept = [
            str(path) for path in (self.result.parent, self.spec.get("inputs")) if path and not Path(path).exists()
        ]
        if status == "ok" and not forms.is_result(self.spec.get("task"), arrays, meta):
            status, damage = None, "a result that is none of this task"
        if status in IN_A_FILE and not (status == "raised" and swept):
            return Result(self.spec, status, arrays, meta, plain.lines(meta.pop("error", "")), log)
        if code is not None:
            _check_space(self.result.parent)
        arrays, meta, _ = _read(self.partial, self.most)
        if meta.get("at") != "import" and not forms.is_result(self.spec.get("task"), arrays, meta):
            arrays, meta = {}, {}
        if code is None:
            return Result(self.spec, "hung", arrays, meta, f"no result within {self.spec['limit']:g} s", log)
        error = f"the process ended with {guard.ending(code)} and left {damage or 'a result that names no status'}"
        if swept:
            error += f"; {swept[0]} is gone: something else cleaned the temporary files while it ran"
        return Result(self.spec, "crashed", arrays, meta, error, log)

    def kill(self):
        """End the cell and all that it started."""
        guard.end(self.process)
        self.log.close()


def _check_space(folder, error=None):
    """Raise OSError where there is no room for temporary files: then nobody's code is to blame."""
    with contextlib.suppress(FileNotFoundError):  # the folder was swept away, which is told elsewhere
        if (error is not None and error.errno in FULL) or shutil.disk_usage(folder).free < ROOM:
            what = "no room for temporary files, so nothing was judged; make some, or set TMPDIR to another folder"
            raise OSError(errno.ENOSPC, what, str(folder)) from error


def _tail(log):
    """The last of what a cell printed."""
    begin = max(0, os.fstat(log.fileno()).st_size - 4 * LOG)
    return os.pread(log.fileno(), 4 * LOG, begin).decode(errors="replace")[-LOG:]


def _read(path, most):
    """(arrays, meta, what is wrong) of a result file that need not be there, nor be whole, nor be a file."""
    try:
        content = plain_files.read_regular(path, most)
        members = plain_files.zip_members(content, ARRAYS)
        if sum(info.file_size for info in members.values()) > most:
            raise ValueError(f"found more than {most} bytes packed into it")
        arrays = {
            name.removesuffix(".npy"): plain_files.npy_array(plain_files.unpacked(content, info))
            for name, info in members.items()
        }
        return arrays, dict(json.loads(str(arrays.pop("meta")))), ""
    except FileNotFoundError:
        return {}, {}, "no result"
    except Exception as error:  # a damaged file meets JSON and others, each with errors of its own
        said = plain.line(str(error).removeprefix(f"{path}: "), 300)
        return {}, {}, f"a result that cannot be read ({type(error).__name__}: {said})"


def _environment(threads, folder):
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return {
        **os.environ,
        **dict.fromkeys(THREAD_VARIABLES, str(threads)),
        "PYTHONPATH": path,
        "PYTHONHASHSEED": "0",
        "KERAS_HOME": str(folder),  # else Keras reads and writes a settings file in the home directory
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }
