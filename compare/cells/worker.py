"""One cell from the inside: read a spec, do its task with one implementation, write the result file.

Run as `python -m compare.cells.worker SPEC`. Whatever the code under test prints is only a log.
"""

import importlib
import importlib.metadata
import json
import os
import sys
import threading
import traceback
from pathlib import Path

from compare import plain
from compare.cells import guard
from compare.cells.cells import write_result
from compare.contract import ENTRIES, NotOfferedError, UnavailableError


def load_class(name, threads):
    """The class of an implementation, its framework set to a number of threads."""
    entry = ENTRIES[name]
    module, _, attribute = entry.target.partition(":")
    loaded = importlib.import_module(module)
    if (found := keras_backend(entry)) != entry.backend:
        raise RuntimeError(f"Keras backend of {name}: found {found!r}, wanted {entry.backend!r}")
    if hasattr(loaded, "configure"):
        loaded.configure(threads)
    return getattr(loaded, attribute)


def keras_backend(entry):
    """What Keras runs on in this process; empty for an implementation without Keras."""
    return sys.modules["keras"].backend.backend() if entry.backend else ""


def _probe(spec, implementation):
    """Nothing but the import, and what it found."""
    return {}, {}


def _task(name):
    """The function of a task: (spec, class) -> (arrays, meta). Imported where used: each needs other packages."""
    if name == "parity":
        from compare.verdict.observe import answer

        return answer
    if name == "accuracy":
        from compare.training.cell import train

        return train
    if name == "speed":
        from compare.clock.stopwatch import measure

        return measure
    if name == "trial":
        from compare.checking.judging.trial import trial

        return trial
    if name == "sharpness":
        from compare.checking.judging.sharpness import measure as measure_sharpness

        return measure_sharpness
    if name == "defect_training":
        from compare.training.evidence import train_defects

        return train_defects
    if name == "sweep":
        from compare.sweeping.cell import train as train_runs

        return train_runs
    if name == "gemm":
        from compare.clock.targets import measure_gemm

        return measure_gemm
    if name in ("load_weights", "save_weights"):
        from compare.conversion import transfer

        return transfer
    return _probe


def main(path):
    """Carry out the spec at `path`. What became of it, in the result file, is one of `cells.IN_A_FILE`."""
    threading.Thread(target=end_with_parent, daemon=True).start()
    spec = json.loads(Path(path).read_text())
    entry = ENTRIES[spec["implementation"]]
    task = _task(spec["task"])

    def fail(status, error, **more):
        guard.lift()
        write_result(spec["result"], {"status": status, "error": error, **more})
        traceback.print_exc()

    if entry.backend:  # Keras looks once, when it is imported, which TensorFlow does as well
        os.environ["KERAS_BACKEND"] = entry.backend
    # the framework by itself first: where it imports, whatever fails after it is no reason to call it missing
    try:
        framework = importlib.import_module(entry.package)
    except ModuleNotFoundError as error:
        return fail("missing", f"{type(error).__name__}: {error}")
    except Exception as error:  # an installation that is broken may raise anything
        return fail("raised", f"cannot be imported: {_what(error)}", unusable=True)
    try:
        implementation = load_class(entry.name, spec["threads"])
    except UnavailableError as error:
        return fail("missing", str(error))
    except ModuleNotFoundError as error:
        return fail("missing" if error.name in entry.needs else "raised", _what(error))
    except Exception as error:  # the implementation's own mistake: a failure, with its line
        return fail("raised", _what(error))
    try:
        arrays, meta = task(spec, implementation)
    except NotOfferedError as error:
        return fail("not offered", str(error))
    except Exception as error:  # the code under test may raise anything; the answer says what and where
        return fail("raised", _what(error))
    meta |= {"status": "ok", "version": _version(entry, framework), "keras_backend": keras_backend(entry)}
    return write_result(spec["result"], meta, arrays)


def _what(error):
    """What was raised, where, and its message, on one line."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith("<frozen")]
    text = plain.line(error) + guard.met(error)
    return f"{type(error).__name__} at {Path(frames[-1].filename).name}:{frames[-1].lineno}: {text}"


def _version(entry, framework):
    try:
        return importlib.metadata.version(entry.package)
    except importlib.metadata.PackageNotFoundError:  # it comes under another name, such as tensorflow-cpu
        return str(getattr(framework, "__version__", "unknown"))


def end_with_parent(pipe=0):
    """Wait until the pipe from the parent (standard input) closes, then end, whatever else is going on."""
    os.read(pipe, 1)
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1])
