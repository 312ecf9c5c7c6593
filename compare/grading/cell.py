"""One submission, checked in a process of its own, and what the check says of it as JSON.

Run as `python -m compare.grading.cell SPEC`. The submission's code runs in yet another process, which is confined; here
is the judge. The result holds the verdict, and where something differs the smallest case that shows it.
"""

import json
import os
import site
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path

import numpy as np

from compare import plain
from compare.cells import confine, guard
from compare.cells.cells import THREAD_VARIABLES, write_result
from compare.cells.worker import end_with_parent
from compare.checking.finding.loading import NothingFoundError
from compare.checking.judging.rows import FAILED
from compare.checking.run import check
from compare.checking.saying import text
from compare.checking.saying.result import BrokenError
from compare.checking.saying.saving import save_case
from compare.contract import UnavailableError
from compare.grading import copies, submissions
from compare.verdict import check_probes, probes

STATUS = {0: "agrees", 1: "differs", 3: "incomplete"}  # by exit code; of 4 it is that of the check
PRINTED = 64 << 20  # bytes that a submission may print
PROCESSES = 100  # that it may have at once
KEPT = (
    "PATH",
    "LD_LIBRARY_PATH",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "SYSTEMROOT",
    guard.MARK,
    *THREAD_VARIABLES,
)  # of the environment


def main(path):
    """Carry out the spec at `path`; what becomes of it is in the result's meta, under "verdict"."""
    threading.Thread(target=end_with_parent, daemon=True).start()
    spec = json.loads(Path(path).read_text())
    begin = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="cnn-grade-") as folder:
            verdict, arrays = _verdict(spec, Path(folder))
    except Exception as error:  # whatever went wrong in here is no verdict on anybody
        traceback.print_exc()
        frame = traceback.extract_tb(error.__traceback__)[-1]
        said = f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}: {plain.line(error, 500)}"
        said = plain.line(error, 500) if isinstance(error, BrokenError) else said
        write_result(spec["result"], {"status": "broken", "error": said})
        return
    verdict["seconds"] = round(time.monotonic() - begin, 2)
    write_result(spec["result"], {"status": "ok", "verdict": verdict}, arrays)


def _verdict(spec, folder):
    """(what is said of a submission, arrays of the case that shows it)."""
    try:
        files = submissions.files_in(spec["path"])
        work, case = folder / "work", folder / "case"
        work.mkdir()
        target = submissions.laid_out(files, work)
    except submissions.UnreadableError as error:
        status = "empty" if isinstance(error, submissions.EmptyError) else "unreadable"
        return {"status": status, "exit_code": 2, "error": str(error)}, {}
    for place in (folder, *work.rglob("*"), work):
        place.chmod(0o755 if place.is_dir() else 0o644)  # another user is to read it
    parsed = copies.trees(files)
    about = {"imports": sorted(copies.imported(parsed)), "copied": copies.copied(parsed)}
    _confined(spec["confine"], folder)
    try:
        result = check(str(target), timeout=spec["timeout"], seed=spec["seed"], require=spec["require"])
    except UnavailableError as error:
        return {"status": "not installed", "exit_code": 3, "error": _short(error, folder), **about}, {}
    except (NothingFoundError, FileNotFoundError) as error:
        return {"status": "nothing found", "exit_code": 3, "error": _short(error, folder), **about}, {}
    arrays = {}
    if result.exit_code == 1 and save_case(result, case):
        arrays = {path.name: np.frombuffer(path.read_bytes(), np.uint8) for path in case.iterdir()}
    return {**_said(result, folder), **about}, arrays


def _confined(given, folder):
    """Let what is started from here hold no secret of ours, find no file but its own, and write none."""
    paths = [place for place in os.environ.get("PYTHONPATH", "").split(os.pathsep) if place in given["read"]]
    home = {
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONUSERBASE": site.getuserbase(),  # NumPy may lie there, under the home that one has here
        "HOME": str(folder / "work"),
        "MPLCONFIGDIR": str(folder / "work"),  # else it wants to write to a folder, and has none
    }
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    os.environ.clear()
    os.environ.update({**kept, **home, guard.FILE_LIMIT: str(PRINTED)})
    os.environ[guard.PROCESS_LIMIT] = str(PROCESSES)
    given["read"].append(str(folder / "work"))
    os.environ[confine.CONFINE] = json.dumps(given)


def _short(what, folder):
    """A message in which the temporary folder does not stand."""
    return plain.line(str(what).replace(f"{folder / 'work'}{os.sep}", "").replace(str(folder / "work"), "."))


def _said(result, folder):
    """What a `CheckResult` says, as JSON holds it; pictures of all that fails, whoever is to see them."""
    judgement = result.judgement
    rows: dict = {}
    for row in judgement.rows:
        rows.setdefault((row["mode"], row["quantity"]), []).append(row)
    quantities = []
    for (mode, quantity), outcome in result.quantities.items():
        own = rows[mode, quantity]
        found = {"mode": mode, "quantity": quantity, "stage": own[0]["stage"], "outcome": outcome}
        if failed := [row for row in own if row["outcome"] in FAILED]:
            found |= {"picture": _short(text.failing(result, failed), folder), "shown_by": _shown_by(failed)}
        quantities.append(found)
    return {
        "status": result.status if result.exit_code == 4 and result.status != "ok" else _status(result),
        "exit_code": result.exit_code,
        "error": _short(result.error, folder) if result.error else "",
        "quantities": quantities,
        "stage": judgement.stage,
        "named": [[_defect(each) for each in defects] for defects in judgement.diagnosis],
        "by_stage": {stage: [_defect(each) for each in found] for stage, found in judgement.by_stage.items()},
        "diagnosis": [_short(line, folder) for line in text.diagnosis(result)],
        "conventions": [{"name": each.name, "remark": each.remark} for each in judgement.conventions],
        "unconnected": [[_short(name, folder), _short(why, folder)] for name, why in result.unconnected],
        "missing": [word for word, _ in result.missing],
        "notes": [_short(note, folder) for note in result.notes],
        "ours": list(result.ours),
        "frameworks": list(result.frameworks),
        "counts": result.counts,
    }


def _status(result):
    if result.exit_code != 4:
        return STATUS[result.exit_code]
    outcomes = set(result.quantities.values())
    return next((name for name in ("crashed", "hung", "raised") if name in outcomes), "raised")


def _defect(defect):
    return {"name": defect.name, "stage": defect.stage, "advice": defect.advice}


def _shown_by(failed):
    """The input that shows it, in words: the first probe of those that do."""
    words = {case.name: case.why for case in check_probes.cases(0)[0]}
    row = failed[0]
    if row["stage"] == "training path":
        return f"{probes.PATH_STEPS} steps of training, in {row['dtype']}"
    return f"{words.get(row['probe'], row['probe'])}, in {row['dtype']}"


if __name__ == "__main__":
    main(sys.argv[1])
    sys.stdout.flush()
    os._exit(0)
