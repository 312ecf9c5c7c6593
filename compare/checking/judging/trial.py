"""The known defects on trial: each put into one implementation, in its own process, and judged as `check` judges."""

from compare.cells import cells
from compare.checking.judging.judgement import judge_answer
from compare.contract import NotOfferedError
from compare.verdict import check_probes
from compare.verdict.defects import DEFECTS
from compare.verdict.inserted import inserted
from compare.verdict.observe import observe
from compare.verdict.packing import Question

RIGHT = "none (the right network)"
DTYPE = "float64"


def trial(spec, implementation):
    """No arrays, and rows: of each defect whether it was caught, and the name and the stage that were given to it.

    Args:
        spec: with `only`, names of defects, or None for all; the right network comes first in any case.
        implementation: a class by the contract, with its stages alone.
    Raises:
        NotOfferedError: it has nothing that could be judged.
    """
    geometry = check_probes.SMALL
    cases, path = check_probes.batches(geometry=geometry), check_probes.path(geometry=geometry)
    rows = []
    question = Question.of(cases, [DTYPE], path)
    for name, stage, changes in [(RIGHT, "", ())] + [(d.name, d.stage, (d.change,)) for d in DEFECTS]:
        if spec.get("only") and name not in (RIGHT, *spec["only"]):
            continue
        found, noted = observe(question, inserted(implementation, *changes))
        judgement = judge_answer(cells.Result({}, "ok"), found, noted, cases, path, [DTYPE])
        if name == RIGHT and all(row["outcome"] == "not offered" for row in judgement.rows):
            raise NotOfferedError(f"none of its stages can be called alone in {DTYPE}")
        rows.append({"defect": name, **verdict(judgement, stage)})
    return {}, {"rows": rows}


def verdict(judgement, stage):
    """caught: whether anything differs; says: the name given to it; stage: where it was said to be."""
    names = judgement.named
    where = {defect.stage for defects in judgement.diagnosis for defect in defects}
    return {
        "caught": bool(judgement.stage),
        "says": names,
        "stage": where.pop() if len(where) == 1 else judgement.stage,
        "blamed": bool(judgement.stage) and stage not in where | {judgement.stage} and not names,
    }
