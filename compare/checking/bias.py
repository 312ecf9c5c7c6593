"""The gradient of a convolution's bias, which the network of the contract does not have: held to the sum that it is."""

import numpy as np

from compare.checking import arrays
from compare.checking.part import Part, items_of
from compare.checking.plan import INPUT, RATE

CLOSE = 1e-6  # of the largest: a trial in float64, or in float32 where the code computes in that


def judge(plan):
    """(outcome, what is seen) of the bias of a convolution that has one and a way back; None where nothing is left of
    its gradient.

    The sum of the upstream gradient over batch and places is wanted, by whatever the filters' gradient is divided too.
    """
    if plan.stage != "conv" or not plan.backward or plan.activation:
        return None
    code = plan.make(plan.sizes, np.dtype(np.float64))
    paths = [path for path in plan.zeros if np.size(code.read(path)[0]) == plan.sizes.filters > 1]
    if len(paths) != 1:
        return None
    network, parameters, inputs = plan.sizes.trial()
    part = Part(plan, plan.sizes, np.float64)
    part.set(parameters)
    (x,) = part.chunks(inputs[INPUT["conv"]])[0]
    dy = np.random.default_rng(8).standard_normal(part.forward(x).shape)
    before = {path: array.copy() for path, array in arrays.arrays_of(part.code).items()}
    result = part.call_backward(dy)
    found = _gradient(plan, paths[0], before, arrays.arrays_of(part.code), items_of(result))
    if found is None:
        return None
    part.forward(x)
    filters = part.backward(dy).get("conv_weight")
    return _compare(np.ravel(found), dy.sum(axis=(0, 1, 2)), filters, network.backward_stage("conv", x, dy), len(x))


def _gradient(plan, bias, before, after, items):
    """Where a backward left it: beside the kernel, under its name, or in what the bias moved by; None if nowhere."""
    used = {where for how, where in (*plan.gradients.values(), plan.dx or ("", None)) if how == "returned"}
    for key, value in items.items():
        if key not in used and value.size == plan.sizes.filters and value.dtype.kind == "f":
            return value
    fresh = [path for path, a in after.items() if path not in before or not arrays.same(a, before[path])]
    for path in fresh:
        if path != bias and after[path].size == plan.sizes.filters and arrays.is_gradient(path):
            return after[path]
    return (before[bias] - after[bias]) / RATE if bias in fresh and bias in before else None


def _compare(found, wanted, filters, right, count):
    scales = [1.0, 1.0 / count]
    if filters is not None:  # the filters' gradient says which of the two this code is for
        scales = [s for s in scales if _close(filters, right["conv_weight"] * s)] or scales
    if any(_close(found, wanted * scale) for scale in scales):
        return "agrees", ""
    beside = f", beside filters whose gradient is {scales[0]:.3g} times theirs" if len(scales) == 1 else ""
    times = found / wanted
    alike = np.allclose(times, times[0], rtol=CLOSE)
    seen = f"{times[0]:.3g} times the sum" if alike else f"found {found[0]:.6g}, wanted {wanted[0]:.6g}, the sum"
    return "differs", f"{seen} of the upstream gradient over batch and places (N = {count}){beside}"


def _close(found, wanted):
    return found.shape == wanted.shape and np.allclose(found, wanted, rtol=0, atol=CLOSE * np.abs(wanted).max())
