"""What a way back does beside giving gradients: it divides by the batch, adds up, or moves the weights by itself."""

import dataclasses

import numpy as np

from compare.checking.calling import arrays, handing
from compare.checking.calling.part import Part
from compare.checking.calling.plan import RATE
from compare.checking.calling.trying import close


def _back(plan, parameters, x, given, how, rate=RATE, times=1):
    """The gradients that a fresh object gives in one way, of the last of several calls with the same."""
    part = Part(plan, plan.sizes, np.float64)
    part.set(parameters)
    for _ in range(times):
        part.forward(x)
        found = part.backward(given, rate)
    return {name: found[name] for name in _names(plan, how)}


def _names(plan, how):
    return [name for name, (way, _) in plan.gradients.items() if way == how]


def _alike(one, other, factor=1):
    """Whether gradients by name are those others times a factor."""
    return all(np.allclose(one[name], factor * other[name], rtol=1e-3, atol=1e-9) for name in one)


def divides(plan, parameters, x, dy, right):
    """Whether a dense layer's backward divides by the size of the batch, which is then not done at the loss."""
    if plan.stage != "logits" or "dense_weight" not in plan.gradients or len(x) == 1:
        return False

    def weight(places):
        return _back(plan, parameters, x[places], dy[places], plan.gradients["dense_weight"][0])["dense_weight"]

    count, wanted, once = len(x), right["dense_weight"], weight(slice(None))
    if once.shape != wanted.shape or close(once, wanted):
        return False
    # of a wrong gradient too: a mean is the same of a batch turned round, and of one twice over
    turned, twice = weight([*range(count)][::-1]), weight([*range(count)] * 2)
    return close(once, wanted / count) or (close(turned, once) and close(twice, once))


def clears(plan, parameters, x, dy):
    """`Plan.clears`: who puts gradients to 0 that a layer keeps, and that add up from call to call; "" if none do."""
    names = _names(plan, "stored")
    paths = [plan.gradients[name][1] for name in names]
    of_objects = all(len(path) > 1 and str(path[-1]).strip("._") in ("grad", "gradient") for path in paths)
    updates = plan.updates(plan.make(plan.sizes, np.dtype(np.float64))) is not None
    if not names or not (updates or of_objects):
        return ""
    once, twice = (_back(plan, parameters, x, dy, "stored", times=n) for n in (1, 2))
    if _alike(twice, once):
        return ""
    for way in (["update"] if updates else []) + (["here"] if of_objects else []):
        if _alike(_back(dataclasses.replace(plan, clears=way), parameters, x, dy, "stored", times=2), once):
            return way
    return ""


def own_rate(plan, parameters, x, given, right):
    """The rate at which a backward moves the weights that is told none; None where it is told one, or moves nothing.

    It is read off a gradient that is right but for a factor; ValueError where there is none.
    """
    method = plan.make(plan.sizes, np.dtype(np.float64)).methods[plan.backward]
    if handing.takes_rate(method):  # that it is not used is a mistake
        return None
    once, faster = (_back(plan, parameters, x, given, "moved", rate) for rate in (RATE, 2 * RATE))
    if _alike(faster, once) or not _alike(once, faster, 2):
        return None
    for name in once.keys() & right.keys():
        factor = float(np.vdot(arrays.real(once[name]), right[name]) / np.vdot(right[name], right[name]))
        if factor and close(once[name] / factor, right[name]):
            return float(f"{abs(factor) * RATE:.6g}")
    raise ValueError("the weights move at a rate of its own, which nothing tells")


def follow(plan, parameters, x, dy, right):
    """The plan with the rate of its own, if any; ValueError where what the weights move by shows no gradient.

    It must double with the upstream gradient; and where it is not the right one, the same again must give the same.
    """
    if not _names(plan, "moved"):
        return plan
    plan = dataclasses.replace(plan, own_rate=own_rate(plan, parameters, x, dy, right))
    once, twice = (_back(plan, parameters, x, times * dy, "moved") for times in (1, 2))
    known = all(close(once[name], right[name]) for name in once)
    if not _alike(twice, once, 2) or not (known or _alike(_back(plan, parameters, x, dy, "moved", times=2), once)):
        raise ValueError("the weights move by more than a rate times the gradient, as by momentum or Adam")
    return plan
