"""One cell from the inside: read a spec, do its task with one implementation, write the result file.

Run as `python -m compare.worker SPEC`. Whatever the code under test prints is only a log.
"""

import importlib
import importlib.metadata
import json
import os
import sys
import threading
import traceback
from pathlib import Path

from compare.cells import write_result
from compare.contract import ENTRIES


def load_class(name, threads):
    """The class of an implementation, its framework set to a number of threads."""
    module, _, attribute = ENTRIES[name].target.partition(":")
    loaded = importlib.import_module(module)
    if hasattr(loaded, "configure"):
        loaded.configure(threads)
    return getattr(loaded, attribute)


def _probe(spec, implementation):
    """Nothing but the import, and what it found."""
    return {}, {}


def _task(name):
    """The function of a task: (spec, class) -> (arrays, meta). Imported where used: each needs other packages."""
    if name == "parity":
        from compare.verdict.observe import observe

        return observe
    if name == "accuracy":
        from compare.training import train

        return train
    if name == "speed":
        from compare.timing import measure

        return measure
    if name == "trial":
        from compare.checking.trial import trial

        return trial
    if name == "sharpness":
        from compare.checking.sharpness import measure as measure_sharpness

        return measure_sharpness
    if name == "defect_training":
        from compare.evidence import train_defects

        return train_defects
    if name == "gemm":
        from compare.targets import measure_gemm

        return measure_gemm
    if name in ("load_weights", "save_weights"):
        from compare.conversion import transfer

        return transfer
    return _probe


def main(path):
    """Carry out the spec at `path`. The result file says "ok", "missing" (import failed) or "raised"."""
    threading.Thread(target=end_with_parent, daemon=True).start()
    spec = json.loads(Path(path).read_text())
    entry = ENTRIES[spec["implementation"]]
    task = _task(spec["task"])
    try:
        implementation = load_class(entry.name, spec["threads"])
        version = importlib.metadata.version(entry.package)
    except Exception as error:  # whatever an import raises is the reason that the implementation is not available
        meta = {"status": "missing", "error": f"{type(error).__name__}: {error}"}
        write_result(spec["result"], meta)
        traceback.print_exc()
        return
    try:
        arrays, meta = task(spec, implementation)
    except Exception as error:  # the code under test may raise anything; the answer says what and where
        frame = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(frame.filename).name}:{frame.lineno}"
        write_result(spec["result"], {"status": "raised", "error": f"{type(error).__name__} at {where}: {error}"})
        traceback.print_exc()
        return
    write_result(spec["result"], {**meta, "status": "ok", "version": version}, arrays)


def end_with_parent(pipe=0):
    """Wait until the pipe from the parent (standard input) closes, then end, whatever else is going on."""
    os.read(pipe, 1)
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1])
