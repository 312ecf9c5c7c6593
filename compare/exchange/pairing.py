"""`pair`: two recordings of the same probes held against each other, neither of them ours.

How far the two may lie apart is in `comparing.py`. A whole pass carries its allowances on. There near ties may send a
gradient two ways: what hangs on these is held only where no window can be a near tie, else its distance alone is told.
Along the training path each is held to where it stood itself: see `walking.py`.
"""

from dataclasses import dataclass, field

import numpy as np

from compare.contract import PARAMETERS
from compare.exchange.comparing import OUTCOMES, compared, rounding_of
from compare.exchange.reading import read
from compare.exchange.walking import walked
from compare.graph import QUANTITIES, STAGE_OF, STAGE_ORDER
from compare.verdict.allowances import Stages
from compare.verdict.expected import Expected
from compare.verdict.packing import PATH, by_case

ROUTED = ("d_conv", "d_images", "d_conv_weight", "step_conv_weight")  # what near ties of a pass move
COLUMNS = (
    *("stage", "quantity", "mode", "probe", "dtype", "outcome", "distance", "allowance_used"),
    *("worst_index", "first_number", "second_number", "note"),
)
LATE = ("prediction", "update", "training path")  # what comes of everything before it says nothing of itself


@dataclass
class Pair:
    """What came of two recordings.

    rows: dicts of COLUMNS; `outcome` is one of OUTCOMES: "no numbers" where both have NaN or infinity at the same
        places, "undecided" where two training paths part and neither is right, "not reached" where something before it
        differs, "distance only" where near ties leave it open.
    lonely: by folder, names of what that one alone has.
    """

    first: str
    second: str
    rows: list = field(default_factory=list)
    lonely: dict = field(default_factory=dict)

    @property
    def differing(self):
        """The row of the first stage that differs, of a stage alone if there is one; None."""
        rows = [row for row in self.rows if row["outcome"] == "differs"]
        return min(rows, key=lambda row: (STAGE_ORDER[row["stage"]], row["mode"] != "alone"), default=None)

    @property
    def counts(self):
        """How many quantities came to what, over all probes and dtypes: the worst there was."""
        worst: dict = {}
        for row in self.rows:
            key = (row["mode"], row["quantity"])
            worst[key] = min(worst.get(key, "agrees"), row["outcome"], key=OUTCOMES.index)
        return {outcome: list(worst.values()).count(outcome) for outcome in OUTCOMES}

    @property
    def exit_code(self):
        """0: all that both have agrees; 1: something differs; 3: nothing is common, or some of it cannot be decided."""
        outcomes = {row["outcome"] for row in self.rows}
        if "differs" in outcomes:
            return 1
        return 0 if "agrees" in outcomes and not outcomes & {"no numbers", "undecided"} else 3


def pair(first, second):
    """Hold two recordings against each other: folders of the same probes, filled by two programs.

    Returns:
        `Pair`.
    Raises:
        ValueError, OSError: as of `reading.read`; the probes are not the same.
    """
    return held(read(first), read(second))


def held(*both):
    """The `Pair` of two `reading.Recording`s; raises as `pair`."""
    first, second = (str(each.folder) for each in both)
    result = Pair(first, second)
    keys = [set(each.found) for each in both]
    result.lonely = {first: _lonely(*keys), second: _lonely(*reversed(keys))}
    probes = [{(key, dtype): each.by_dtype[dtype] for key, dtype, each in _probes(one)} for one in both]
    for key, case in probes[0].items():
        if key not in probes[1]:
            continue
        other = probes[1][key]
        if not _same(case, other):
            raise ValueError(f"{second}: found other probes than in {first} ({'.'.join(key)}), wanted a copy of its")
        found = [by_case(one.found)[key] for one in both]
        result.rows += _settled(_held(case, key, *found))
    for dtype in dict.fromkeys(dtype for _, dtype in probes[0]):
        found = [{name: one.found.get((PATH, dtype, PATH, name)) for name in ("loss", *PARAMETERS)} for one in both]
        result.rows += walked(both[0].path, dtype, *found)
    _withdraw_late(result.rows)
    return result


def _probes(recording):
    return [(each.name, dtype, each) for each in recording.cases for dtype in each.by_dtype]


def _lonely(own, other):
    """Names of what one recording has and another has not: dtypes, modes, quantities, and how many arrays more."""
    found: list[str] = []
    left = own - other
    for part, say in ((1, "all of {}".format), (2, "all of {}/".format), (3, str)):
        alone = {key[part] for key in left} - {key[part] for key in other}
        found += map(say, sorted(alone))
        left = {key for key in left if key[part] not in alone}
    return [*found, *([f"{len(left)} arrays more"] if left else [])]


def _same(one, other):
    pairs = [(one.images, other.images), (one.labels, other.labels)]
    pairs += [(one.parameters[name], other.parameters[name]) for name in one.parameters]
    pairs += [(one.inputs[name], other.inputs[name]) for name in one.inputs]
    return all(np.array_equal(a, b) for a, b in pairs)


def _held(case, key, first, second):
    """Rows of what both have of one probe in one dtype."""
    made: dict = {}
    rows = []
    for mode, quantities in QUANTITIES.items():
        for quantity in quantities:
            a, b = first.get((mode, quantity)), second.get((mode, quantity))
            if a is None or b is None:
                continue
            rounding = rounding_of(case.dtype, a, b)
            if rounding not in made:
                made[rounding] = Expected(case, Stages(case.reference, case.padding, rounding), {})
            wanted = made[rounding].of(mode, quantity)
            row = {"stage": STAGE_OF[quantity], "quantity": quantity, "mode": mode, "probe": key[0], "dtype": key[1]}
            row |= compared(quantity, a, b, wanted, rounding)
            if mode == "run" and quantity in ROUTED and row["outcome"] == "differs" and _open(case, first, second):
                row |= {"outcome": "distance only", "note": "near ties may go either way"}
            rows.append(row)
    return rows


def _open(case, first, second):
    """Whether a window may be a near tie: not where both have the same convolution, to the bit, of few bits."""
    a, b = first.get(("run", "conv")), second.get(("run", "conv"))
    return not case.exact or not (a is None or b is None or np.array_equal(a, b))


def _settled(rows):
    """Of a pass, what comes after the first quantity that differs, or holds no numbers, was not reached."""
    gone: dict = {}
    for row in rows:
        before = gone.get(row["mode"], row)
        if row["mode"] != "alone" and STAGE_ORDER[before["stage"]] < STAGE_ORDER[row["stage"]]:
            what = "differs" if before["outcome"] == "differs" else "holds no numbers"
            row |= {"outcome": "not reached", "note": f"{before['stage']} {what} before it"}
        elif row["outcome"] in ("differs", "no numbers"):
            gone.setdefault(row["mode"], row)
    return rows


def _withdraw_late(rows):
    """Of an update or a path that something before it differs: that explains it already."""
    differing = [row["stage"] for row in rows if row["outcome"] == "differs"]
    first = min(differing, key=STAGE_ORDER.__getitem__, default="")
    for row in rows:
        if row["stage"] in LATE and row["outcome"] == "differs" and row["stage"] != first:
            row |= {"outcome": "not reached", "note": f"{first} differs before it"}
