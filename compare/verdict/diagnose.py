"""Which known defect explains what was observed: the one that, made in the reference, gives the same numbers."""

import copy
import functools
from dataclasses import replace

import numpy as np

from compare.graph import QUANTITIES, STAGE_ORDER, STEP_OF, STEPS, task_of
from compare.verdict import arbiter
from compare.verdict.allowances import Rounding, Stages, whole_pass
from compare.verdict.changed import ChangedStages
from compare.verdict.defects.defect import Change
from compare.verdict.expected import Expected, NotReached
from compare.verdict.network import Network, one_by_one, through_probabilities
from compare.verdict.packing import PATH
from compare.verdict.path import walk
from compare.verdict.probes import LEARNING_RATE

EVERYTHING = frozenset((*STEP_OF, "scale", "keep", "update"))  # all that a change can concern


class Evidence:
    """All rows of a verdict beside what was observed, asked one by one whether a changed network explains them.

    Args:
        rows: of `judge_probe` and `judge_path` for one implementation; those that were not offered are left out.
        cases: the `Probe`s, rounded, by (name, dtype).
        path: `Path` or None.
        observed: arrays by (probe, dtype): a dict by (mode, quantity); for the path by (PATH, name).
        manner: an `expected.Manner`.
    """

    def __init__(self, rows, cases, path, observed, manner):
        self.cases, self.path, self.observed, self.manner = cases, path, observed, manner
        self.base: list = []
        self.rows = [row for row in rows if row["outcome"] != "not offered"]
        # cheap and clear first: what a stage alone gives, small probes before large ones, the path last
        self.rows.sort(key=self._cost)
        self.failed = [row for row in self.rows if row["outcome"] not in ("agrees", "hung", "crashed")]

    def _cost(self, row):
        if row["stage"] == "training path":
            return (2, False, 0)
        case = self.cases[row["probe"], row["dtype"]]
        certain = bool((case.inputs["logits"].max(axis=1) > 1e4).all())  # p - y is 0, which many mistakes leave at 0
        return (row["mode"] == "run", certain, case.images.size)

    def on(self, base):
        """The same evidence, where every network begins with these changes: conventions that were found."""
        other = copy.copy(self)
        other.base = list(base)
        other.failed = self.failed if not base else self.unexplained(base, self.rows)
        return other

    def unexplained(self, changes, rows):
        """Those of the rows that a network with these changes does not explain."""
        made: dict = {}
        return [row for row in rows if not self._explains(changes, row, made)]

    def explained(self, changes, rows):
        """The rows that a network with these changes does not explain, given up at the first of them.

        Returns:
            None if it explains them all, else the first row that it does not.
        """
        made: dict = {}
        for row in rows:
            if not self._explains([*self.base, *changes], row, made):
                return row
        return None

    def _explains(self, changes, row, made):
        key = (row["probe"], row["dtype"])
        if row["stage"] == "training path":
            if key not in made:
                with np.errstate(all="ignore"):
                    made[key] = self._walk(changes, row["dtype"])
            if made[key] is None:  # the changed network cannot go this path at all
                return row["outcome"] == "raised"
            return made[key][row["quantity"].removeprefix("path_")]
        if key not in made:
            made[key] = self.expected(changes, *key)
        found = self.observed[key].get((row["mode"], row["quantity"]))
        try:
            with np.errstate(all="ignore"):
                if found is None:
                    return self._raises_too(made[key], row)
                expected = made[key].of(row["mode"], row["quantity"])
                if row["outcome"] == "not reached" and not np.isfinite(found).all():
                    return not np.isfinite(expected.value).all()  # how NaN spreads depends on how it is written
                return matches(found, expected)
        except (NotReached, ValueError, IndexError):
            return False

    def _raises_too(self, expected, row):
        """What raised is explained where the changed network cannot be computed either, somewhere in the same call."""
        call = task_of(row["mode"], row["quantity"])
        for quantity in QUANTITIES[row["mode"]]:
            if task_of(row["mode"], quantity) == call:
                try:
                    expected.of(row["mode"], quantity)
                except (NotReached, ValueError, IndexError):
                    return True
        return False

    def goes_by(self, row):
        """What a changed network's answer for a row goes by: quantities, and other attributes of `Network`."""
        mode, quantity, observed = row["mode"], row["quantity"], self.observed[row["probe"], row["dtype"]]
        quantities = [quantity]
        if (mode, quantity) not in observed:  # it raised, wherever in the same call
            call = task_of(mode, quantity)
            quantities = [each for each in QUANTITIES[mode] if task_of(mode, each) == call]
        return frozenset().union(*(self._goes_by(mode, each, observed) for each in quantities))

    def _goes_by(self, mode, quantity, observed):
        if quantity.startswith(("kept_", "step_")):
            return EVERYTHING
        if quantity == "predict":
            return self._goes_by_input(mode, "probabilities", observed)
        step = STEP_OF[quantity]
        names = {quantity}
        if step.stage == "loss":
            names.add("probabilities")  # of which it may be made
        if self.manner.applied_rate is not None:
            names.add("update")  # by which gradients are read off
        if mode != "alone":
            for name in step.takes:
                names |= self._goes_by_input(mode, name, observed)
        return names

    def _goes_by_input(self, mode, name, observed):
        if name == "images":
            return {"scale"}
        given = name not in STEP_OF or (mode, name) in observed or (mode, name) == ("head", "pool")
        return set() if given else self._goes_by(mode, name, observed)

    def expected(self, changes, probe, dtype):
        """What a network with these changes gives for a probe: `Expected`."""
        case = self.cases[probe, dtype]
        return Expected(case, self._stages(changes, case.padding, dtype), self.observed[probe, dtype], self.manner)

    def _stages(self, changes, padding, dtype):
        network = Network(arbiter)
        if self.manner.of_probabilities:
            through_probabilities(network)
        for change in changes:
            change(network)
        if self.manner.step_images == 1:
            one_by_one(network)
        return ChangedStages(Stages(arbiter, padding, Rounding.of(dtype)), network)

    def _walk(self, changes, dtype):
        try:
            observed, stages = self.observed[self.path.name, dtype], self._stages(changes, self.path.padding, dtype)
            if (PATH, "conv_weight") not in observed:  # it raised: so must the first step here
                images = self.path.images[0].astype(dtype).astype(np.float64)
                start = {name: value.astype(np.float64) for name, value in self.path.parameters.items()}
                whole = whole_pass(stages, images, self.path.labels[0], start)
                stages.update(start, {name: whole[f"d_{name}"] for name in start}, LEARNING_RATE, {})
            found = walk(self.path, dtype, observed, stages)
        except (ValueError, IndexError):
            return None
        return {quantity: bool(row and row["passed"]) for quantity, row in found.items()}


def matches(found, bounded):
    """Whether an array lies within the allowance of a changed network's value; NaN where NaN is wanted."""
    if found.shape != bounded.value.shape:
        return False
    found = np.asarray(found, np.float64)
    same = (found == bounded.value) | (np.isnan(found) & np.isnan(bounded.value))
    return bool((same | (np.abs(found - bounded.value) <= bounded.allowance)).all())


def diagnose(evidence, candidates, pairs=True):
    """The defects that explain all of the evidence: one, two, or none.

    Args:
        evidence: `Evidence`.
        candidates: `Defect`s.
        pairs: whether to try two at once where none alone will do.
    Returns:
        list of tuples of `Defect`s; more than one where the evidence cannot tell them apart. Empty: no known defect.
    """
    if not evidence.failed:
        return []
    candidates = [way for defect in candidates for way in defect.ways]
    first = evidence.failed[0]
    clear = [row for row in evidence.failed if row["stage"] != "training path"]
    singles = [d for d in _of_all(evidence, clear, candidates) if _may(evidence, d, first)]
    singles = [d for d in singles if evidence.explained([d.change], evidence.failed) is None]
    singles = [d for d in singles if evidence.explained([d.change], evidence.rows) is None]
    if singles or not pairs:
        return [(d,) for d in {d.name: d for d in singles}.values()]
    found = []
    for one in [d for d in candidates if _may(evidence, d, first) and evidence.explained([d.change], [first]) is None]:
        left = evidence.explained([one.change], evidence.failed) or evidence.explained([one.change], evidence.rows)
        found += _with_another(evidence, one, left, candidates, evidence.rows)
    if not found:  # both in the stage that differs first, so that neither alone explains even that
        here = [d for d in candidates if d.stage == first["stage"] and _may(evidence, d, first)]
        for number, one in enumerate(here):
            found += _with_another(evidence, one, first, here[number + 1 :], evidence.rows)
    unique: dict = {}
    for pair in found:
        unique.setdefault(frozenset(d.name for d in pair), pair)
    return list(unique.values())


def explaining(evidence, candidates, stage, rows):
    """The defects that explain all of these rows, those of their own stage if there are any; else two of it as one."""
    rows = sorted(rows, key=lambda row: row["outcome"] == "agrees")  # what differs refutes nearly all of them
    known = [d for d in candidates if any(evidence.explained([way.change], rows) is None for way in d.ways)]
    here = [way for defect in candidates if defect.stage == stage for way in defect.ways]
    for number, one in enumerate(() if known else here):
        if _may(evidence, one, rows[0]) and (pairs := _with_another(evidence, one, rows[0], here[number + 1 :], rows)):
            names, advice = (" and ".join(each) for each in zip(*((d.name, d.advice) for d in pairs[0]), strict=True))
            return [replace(one, name=names, advice=advice)]
    return [defect for defect in known if defect.stage == stage] or known


def _with_another(evidence, one, left, candidates, rows):
    found = []
    for other in candidates:
        if other is one or not _may(evidence, other, left):
            continue
        first, second = sorted((one, other), key=lambda d: STAGE_ORDER[d.stage])
        orders = [(first, second), (second, first)]
        # of two that concern nothing in common either order makes the same network
        for pair in orders[: 1 if _touched(one.change).isdisjoint(_touched(other.change)) else 2]:
            changes = [defect.change for defect in pair]
            if evidence.explained(changes, [left]) is None and evidence.explained(changes, rows) is None:
                found.append((first, second))
                break
    return found


def _may(evidence, defect, row):
    """Whether a defect could have anything to do with a row: it saves trying out those that cannot."""
    if row["stage"] == "training path":
        return "update" in _touched(defect.change)
    return row["outcome"] == "not reached" or not evidence.goes_by(row).isdisjoint(_touched(defect.change))


def _of_all(evidence, rows, candidates):
    """The defects that could have something to do with each of the rows."""
    needed = {evidence.goes_by(row) for row in rows if row["outcome"] != "not reached"}
    return [d for d in candidates if not any(names.isdisjoint(_touched(d.change)) for names in needed)]


@functools.cache
def _touched(change):
    """What a change concerns: quantities, and other attributes of `Network` that it replaces."""
    if isinstance(change, Change):
        return change.quantities
    network = Network(arbiter)
    before = dict(vars(network))
    change(network)
    replaced = {name for name, value in vars(network).items() if value is not before[name]}
    return replaced | {name for step in STEPS if step.function in replaced for name in step.gives}
