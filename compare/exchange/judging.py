"""`judge`: what a program wrote, answered as `check` answers."""

import dataclasses

from compare.cells import cells
from compare.checking.run import answer
from compare.checking.saying.result import required
from compare.exchange.reading import read
from compare.verdict.packing import NOTES, pack_answer


def judge(folder, search=True, require=()):
    """Hold what a program in any language wrote beside the probes to this project's network, and name the bug.

    Args:
        folder: of `probes`, filled by the program. None of its code runs.
        search: whether to look for a known defect where something differs.
        require: what must be there and judged, as of `compare.check`.
    Returns:
        `compare.checking.saying.result.CheckResult`.
    Raises:
        ValueError, OSError: as of `reading.read`; another word in `require`.
    """
    require = required(require)
    recording = read(folder)
    noted = {kind: {} for kind in NOTES} | {"dtypes": recording.dtypes, "remarks": recording.remarks, "offers": []}
    arrays, meta = pack_answer(recording.found, noted)
    result = cells.Result({"task": "check", "target": str(folder)}, "ok", arrays, meta)
    judged = answer(str(folder), result, recording.cases, recording.path, search)
    judged.judgement.limits |= recording.gaps
    return dataclasses.replace(judged, require=require)
