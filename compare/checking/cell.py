"""The code under test, inside a process of its own: found, asked, its answers written to the result file.

Run as `python -m compare.checking.cell SPEC`. After each kind of call a partial result is written, so that a crash or
an endless loop leaves what came before it, and the name of the call that it was in.
"""

import json
import os
import random
import sys
import threading
import traceback
import warnings
from pathlib import Path

import numpy as np

from compare.cells import read_arrays, write_result
from compare.checking import layers
from compare.checking.finding import ImportFailedError, NothingFoundError, explain, find
from compare.contract import PARAMETERS, NotOfferedError, UnavailableError
from compare.verdict.observe import TASKS, observe
from compare.worker import end_with_parent


def look(spec, subject, save=lambda found, meta: None):
    """(arrays, meta) of one subject: what `observe` saw, and what is known of the code itself."""
    found, meta = observe(spec, subject, save, explain)
    return found, {**meta, **about(subject), "varies": varies(spec, subject)}


def varies(spec, subject):
    """Names of what comes out otherwise at a second call with the same images: something random, or a state, is on."""
    if not hasattr(subject, "activations"):
        return []
    given, meta = read_arrays(spec["inputs"])
    for case in meta["cases"]:
        batch = {name: given[f"{case['name']}|{case['dtype']}|{name}"] for name in ("images", "labels", *PARAMETERS)}
        try:
            model = subject(**case["geometry"], dtype=case["dtype"], seed=0)
            model.set_parameters({name: batch[name] for name in PARAMETERS})
            calls = [model.activations(batch["images"].copy(), batch["labels"]) for _ in range(2)]
        except Exception:  # `observe` has met and noted the same; another probe may do
            continue
        names = calls[0].keys() & calls[1].keys()
        return sorted(name for name in names if not np.array_equal(calls[0][name], calls[1][name], equal_nan=True))
    return []


def about(subject):
    """What a subject says of itself, as JSON holds it."""
    return {
        "assumptions": list(getattr(subject, "assumptions", [])),
        "remarks": list(getattr(subject, "remarks", [])),
        "conventions": list(getattr(subject, "conventions", [])),
        "changed_inputs": sorted(getattr(subject, "changed_inputs", [])),
        "applied_rate": getattr(subject, "applied_rate", None),
        "of_probabilities": bool(getattr(subject, "of_probabilities", False)),
        "one_image": bool(getattr(subject, "one_image", False)),
        "dtypes": list(getattr(subject, "dtypes", [])),
    }


def main(path):
    """Carry out the spec at `path`. The result says "ok", "missing" (nothing to check) or "raised" (import failed)."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # what TensorFlow logs is nothing that the code prints
    pipe = os.dup(0)  # code that asks for input is to meet the end of a file, not to wait
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    threading.Thread(target=end_with_parent, args=(pipe,), daemon=True).start()
    spec = json.loads(Path(path).read_text())
    seeded = _watch_seeds()
    warnings.simplefilter("ignore")  # overflow and the like show in the numbers; what is printed is a remark

    def save(arrays, meta):
        write_result(spec["partial"], {**meta, "seeded": sorted(seeded)}, arrays)

    save({}, {"at": "import", "raised": {}, "refused": {}})
    everything = {"raised": {}, "refused": {}, "offers": list(TASKS)}
    layers.say_trying = lambda task: save({}, {**everything, "at": task})
    try:
        subject = find(spec["target"])
    except (NothingFoundError, NotOfferedError, FileNotFoundError, UnavailableError) as error:
        meta = {"absent": isinstance(error, FileNotFoundError), "needs": isinstance(error, UnavailableError)}
        write_result(spec["result"], {"status": "missing", "error": str(error), **meta})
        return
    except Exception as error:  # the code under test may raise anything while it is imported
        traceback.print_exc()
        message = str(error) if isinstance(error, ImportFailedError) else explain(error)
        write_result(spec["result"], {"status": "raised", "error": message})
        return
    arrays, meta = look(spec, subject, lambda found, noted: save(found, {**noted, **about(subject)}))
    write_result(spec["result"], {**meta, "status": "ok", "seeded": sorted(seeded)}, arrays)


def _watch_seeds():
    """Note who seeds a global random state; returns the set that the notes go to."""
    seeded: set[str] = set()

    def watched(name, seed):
        def wrapper(*arguments, **keywords):
            frame = sys._getframe(1)
            if not frame.f_code.co_filename.endswith(("mtrand.pyx", "random.py")):
                seeded.add(f"{name} at {Path(frame.f_code.co_filename).name}:{frame.f_lineno}")
            return seed(*arguments, **keywords)

        return wrapper

    np.random.seed = watched("np.random.seed", np.random.seed)
    random.seed = watched("random.seed", random.seed)
    return seeded


if __name__ == "__main__":
    main(sys.argv[1])
    sys.stdout.flush()
    os._exit(0)  # threads that the code under test left behind would keep the process
