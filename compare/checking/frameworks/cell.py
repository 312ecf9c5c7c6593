"""A framework's model, inside a process of its own: made a subject, asked, its answers written to the result file.

Run as `python -m compare.checking.frameworks.cell SPEC`. After each kind of call a partial result is written, so that
a crash or an endless loop leaves what came before it, and the name of the call that it was in.
"""

import json
import os
import sys
import threading
import traceback
import warnings
from pathlib import Path

from compare.cells.cells import ROOT, write_result
from compare.cells.worker import end_with_parent
from compare.checking.finding import models
from compare.checking.judging.looking import about, look
from compare.checking.process import caller
from compare.contract import NotOfferedError, UnavailableError
from compare.verdict.packing import pack_answer, read_question


def main(path):
    """Carry out the spec at `path`. The result says "ok", "missing" (no such network) or "broken"."""
    spec = json.loads(Path(path).read_text())
    try:
        _carry_out(spec)
    except Exception as error:  # what the model raises is noted where it is asked: this is none of it
        traceback.print_exc()
        frame = traceback.extract_tb(error.__traceback__)[-1]
        ours = f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}: {error}"
        write_result(spec["result"], {"status": "broken", "error": ours})


def _carry_out(spec):
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # what TensorFlow logs is nothing that the code prints
    pipe = os.dup(0)  # code that asks for input is to meet the end of a file, not to wait
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    threading.Thread(target=end_with_parent, args=(pipe,), daemon=True).start()
    warnings.simplefilter("ignore")  # overflow and the like show in the numbers; what is printed is a remark
    code = caller.Caller(str(ROOT))
    code.watch()

    def save(arrays, meta):
        write_result(spec["partial"], {**meta, "seeded": sorted(code.seeded)}, arrays)

    save({}, {"at": "import", "raised": {}, "refused": {}})
    try:
        subject, reasons = _subject(spec, code)
    except (NotOfferedError, FileNotFoundError, UnavailableError) as error:
        meta = {"absent": isinstance(error, FileNotFoundError), "needs": isinstance(error, UnavailableError)}
        write_result(spec["result"], {"status": "missing", "error": str(error), **meta})
        return
    if subject is None:
        write_result(spec["result"], {"status": "missing", "error": "; ".join(reasons)})
        return
    question = read_question(spec["inputs"])
    found, noted = look(question, subject, lambda found, noted: save(*pack_answer(found, {**noted, **about(subject)})))
    arrays, meta = pack_answer(found, noted)
    write_result(spec["result"], {**meta, "status": "ok", "seeded": sorted(code.seeded)}, arrays)


def _subject(spec, code):
    """(subject or None, why not) of the first of the models that is such a network."""
    if "onnx" in spec:
        return models.onnx(spec["onnx"]), []
    code.do_path(spec["folders"])
    sys.argv = spec["argv"]
    caller.beside.serve()  # as where it was loaded first
    for request in spec["loads"]:
        try:
            getattr(code, f"do_{request['do']}")(**{key: value for key, value in request.items() if key != "do"})
        except Exception as error:  # it was loaded before, beside nothing of a framework's
            raise NotOfferedError(f"it cannot be loaded once more: {type(error).__name__}: {error}") from error
    things = {name: thing for module in code.modules for name, thing in vars(module).items()}
    return models.first([(name, framework, things[name]) for name, framework in spec["listed"]])


if __name__ == "__main__":
    main(sys.argv[1])
    sys.stdout.flush()
    os._exit(0)  # threads that the code under test left behind would keep the process
