"""For a test in a notebook, otter's or nbgrader's: which share of one part of the network agrees."""

import functools

from compare.checking.run import check
from compare.checking.saying import text
from compare.contract import unknown
from compare.grading import marking
from compare.grading.rubric import PARTS


def share(part, *things):
    """The share of the quantities of a part that agree, from 0.0 to 1.0; what fails is printed.

    The network is checked once for all parts. Here the code under test shares a process with whoever asks: a grade that
    counts is made by `python -m compare grade`.

    Args:
        part: a stage, such as "conv forward".
        things: classes, functions or objects, as `compare.check` takes them.
    Raises:
        ValueError: there is no such part.
    """
    if part not in PARTS:
        raise ValueError(unknown("part", part, PARTS))
    result = _checked(things)
    if result.ours:
        print(f"it uses {', '.join(result.ours)}")
        return 0.0
    found = marking.part(part, 1.0, marking.outcomes(result))
    if found.state != "agrees":
        failed = [row for row in result.judgement.rows if row["stage"] == part and row["outcome"] in marking.FAILED]
        print(f"{part}: {text.failing(result, failed) if failed else found.state}")
    return float(found.points)


@functools.lru_cache(maxsize=4)
def _checked(things):
    return check(*things)
