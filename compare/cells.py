"""Cells: a small spec goes in, one result file comes out, each in a process of its own that is started fresh.

A process group each, killed whole when it runs over its time or when this process is interrupted. A worker ends by
itself when this process dies: it watches a pipe that only this process holds open.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from compare import files

IN_A_FILE = (
    "ok",
    "raised",
    "missing",
    "not offered",
    "broken",
)  # what a worker says itself; the rest is seen from outside
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
    with files.whole(path) as temporary, temporary.open("xb") as file:
        np.savez(file, allow_pickle=False, **(arrays or {}), meta=text)


def read_arrays(path):
    """(arrays, meta) of a file that `write_result` wrote."""
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files if name != "meta"}
        return arrays, dict(json.loads(str(file["meta"])))


def run(specs, jobs=1, done=lambda result: None, module="compare.worker"):
    """Run cells, at most `jobs` at a time, and return their `Result`s in the order of the specs.

    Args:
        specs: dicts that JSON can hold, with at least `task`, `implementation`, `threads` and `limit` (seconds).
        jobs: processes at once; 1 for anything that is timed.
        done: called with each `Result` as it comes in.
        module: what runs in the process, given the path of its spec.
    """
    results = {}
    with tempfile.TemporaryDirectory(prefix="cnn-compare-") as folder:
        waiting = list(enumerate(specs))
        running: dict[int, _Process] = {}
        try:
            while waiting or running:
                while waiting and len(running) < jobs:
                    number, spec = waiting.pop(0)
                    try:
                        running[number] = _Process(spec, Path(folder) / str(number), module)
                    except OSError as error:  # no memory for another process, a full disk
                        results[number] = Result(spec, "crashed", error=f"the process could not be started: {error}")
                        done(results[number])
                for number, process in list(running.items()):
                    result = process.poll()
                    if result is not None:
                        del running[number]
                        results[number] = result
                        done(result)
                time.sleep(0.02)
        finally:
            for process in running.values():
                process.kill()
    return [results[number] for number in range(len(specs))]


class _Process:
    """One worker and its process group."""

    def __init__(self, spec, folder, module):
        folder.mkdir(parents=True)  # its parent may have been swept away since
        self.spec = spec
        self.result = folder / "result.npz"
        self.log = folder / "log.txt"
        spec_file = folder / "spec.json"
        self.partial = folder / "partial.npz"
        spec_file.write_text(json.dumps({**spec, "result": str(self.result), "partial": str(self.partial)}))
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                # -P and start: neither the folder this is started from nor the project's may shadow a framework
                [sys.executable, "-P", str(ROOT / "compare" / "start.py"), module, str(spec_file)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=_environment(spec["threads"], folder),
                start_new_session=True,
            )
        self.end = time.monotonic() + spec["limit"]

    def poll(self):
        """The `Result`, or None while the process runs within its limit."""
        code = self.process.poll()
        if code is None and time.monotonic() < self.end:
            return None
        self.kill()
        log = self.log.read_text(errors="replace")[-4000:] if self.log.exists() else ""
        arrays, meta, damage = _read(self.result)
        status = meta.pop("status", None)
        swept = [
            str(path) for path in (self.result.parent, self.spec.get("inputs")) if path and not Path(path).exists()
        ]
        if status in IN_A_FILE and not (status == "raised" and swept):
            return Result(self.spec, status, arrays, meta, meta.pop("error", ""), log)
        arrays, meta, _ = _read(self.partial)
        if code is None:
            return Result(self.spec, "hung", arrays, meta, f"no result within {self.spec['limit']:g} s", log)
        error = f"the process ended with {_ending(code)} and left {damage or 'a result that names no status'}"
        if swept:
            error += f"; {swept[0]} is gone: something else cleaned the temporary files while it ran"
        return Result(self.spec, "crashed", arrays, meta, error, log)

    def kill(self):
        """End the whole group, grandchildren included."""
        with contextlib.suppress(ProcessLookupError):  # all of it has ended already
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()


def _read(path):
    """(arrays, meta, what is wrong) of a result file that need not be there, nor be whole."""
    if not path.exists():
        return {}, {}, "no result"
    try:
        return *read_arrays(path), ""
    except Exception as error:  # a damaged file meets zipfile, zlib, NumPy or JSON, each with errors of its own
        return {}, {}, f"a result that cannot be read ({type(error).__name__}: {error})"


def _ending(code):
    """How a process ended, in words: its exit code, or its signal's name; a real-time signal has only a number."""
    if code >= 0:
        return f"exit code {code}"
    names = {number.value: number.name for number in signal.Signals}
    return f"signal {names.get(-code, -code)}"


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
