"""Two training paths beside each other, each step from where each of them stood.

Let S be the right step of plain SGD. Where both take it, from states a and b that rounding has parted, a' - S(a) and
b' - S(b) come of the rounding of one step: they lie within the two allowances of each other, however far the paths are
apart. Where both take another step, S(a) + g(a), g differs in two states as these do: so the largest distance of their
parameters comes on top; of the loss, times what a parameter may move it, the gradients that the two steps went along.
That is no theorem: Adam makes a gradient that is nothing but rounding as large as any other. So "differs" is said where
at least one of the two takes the right step, and "undecided" where neither does.
"""

import numpy as np

from compare.contract import PARAMETERS
from compare.exchange.comparing import FEW, OUTCOMES, measured, rounding_of
from compare.verdict import arbiter
from compare.verdict.allowances import Stages, whole_pass
from compare.verdict.probes import LEARNING_RATE


def walked(path, dtype, first, second):
    """Rows of the training path; none where one of the two has none.

    Args:
        path: `probes.Path`.
        first, second: loss (S,) and parameters (S+1, ...) by name; None where there is nothing.
    """
    both = [{name: value for name, value in each.items() if value is not None} for each in (first, second)]
    if any(name not in each for each in both for name in PARAMETERS):
        return []
    names = [name for name in (*PARAMETERS, "loss") if all(name in each for each in both)]
    rounding = rounding_of(dtype, *(each[name] for each in both for name in names))
    both = [{name: each[name].astype(np.float64) for name in names} for each in both]
    about = {"stage": "training path", "mode": "run", "probe": path.name, "dtype": dtype}
    rows = {}
    if misfit := _misfit(path, names, both):
        rows[names[0]] = measured("differs", np.inf, np.inf, misfit)
    elif not all(np.isfinite(each[name]).all() for each in both for name in names):
        rows[names[0]] = measured("no numbers", np.nan, np.nan, "NaN or infinity on the way")
    elif any(not np.array_equal(both[0][name][0], both[1][name][0]) for name in PARAMETERS):
        rows[names[0]] = measured("differs", np.inf, np.inf, "they do not start with the same weights")
    else:
        with np.errstate(all="ignore"):  # a path that leads away, in both, overflows in the end
            for step in range(len(path.images)):
                for name, row in _step(path, dtype, step, names, both, rounding).items():
                    if name not in rows or _rank(row) < _rank(rows[name]):
                        rows[name] = row
    return [about | {"quantity": f"path_{name}"} | row for name, row in rows.items()]


def _rank(row):
    """Less for what tells more: the first step that differs, or where most of the allowance is used."""
    outcome = OUTCOMES.index(row["outcome"])
    return (outcome, -row["allowance_used"] if row["outcome"] == "agrees" else 0)


def _misfit(path, names, both):
    """What is of another length or shape, in words."""
    for name in names:
        shapes = [each[name].shape for each in both]
        steps = len(path.images)
        wanted = (steps,) if name == "loss" else (steps + 1, *path.parameters[name].shape)
        if shapes != [wanted, wanted]:
            return f"shape {shapes[0]} beside {shapes[1]}, wanted {wanted}"
    return ""


def _step(path, dtype, step, names, both, rounding):
    """Rows of one step by name: how far what each did off the right step lies from what the other did."""
    stages = Stages(arbiter, path.padding, rounding)
    images, labels = path.images[step].astype(dtype).astype(np.float64), path.labels[step]
    right, slope = [], 0.0
    for each in both:
        state = {name: each[name][step] for name in PARAMETERS}
        whole = whole_pass(stages, images, labels, state)
        moved = stages.update(state, {name: whole[f"d_{name}"] for name in PARAMETERS}, LEARNING_RATE, {})
        right.append({**moved, "loss": whole["loss"]})
        slope += sum(np.abs(each[name][step + 1] - each[name][step]).sum() for name in PARAMETERS) / LEARNING_RATE
    parted = max(np.abs(both[0][name][step] - both[1][name][step]).max() for name in PARAMETERS)
    rows = {}
    for name in names:
        at = step if name == "loss" else step + 1
        off = [each[name][at] - after[name].value for each, after in zip(both, right, strict=True)]
        allowed = sum(after[name].allowance.max() for after in right) + parted * (slope if name == "loss" else 1)
        allowed += 2 * rounding.short(FEW) * max(np.abs(each).max() for each in off)
        distance = np.abs(off[0] - off[1]).max()
        used = distance / allowed
        taken = [(np.abs(each) <= after[name].allowance).all() for each, after in zip(off, right, strict=True)]
        outcome = "agrees" if used <= 1 else "differs" if any(taken) else "undecided"
        if not np.isfinite([distance, allowed]).all():
            outcome = "no numbers"
        note = f"they part by {distance:.3g} in step {step}, where rounding allows {allowed:.1g}"
        note += "; neither takes a right step" if outcome == "undecided" else ""
        rows[name] = measured(outcome, distance, used, "" if outcome == "agrees" else note)
    return rows
