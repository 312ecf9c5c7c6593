"""The gradient of a convolution's bias, which the network of the contract does not have: held to the sum that it is."""

import numpy as np

from compare.checking.calling import arrays
from compare.checking.calling.part import Part, items_of
from compare.checking.calling.plan import INPUT, RATE
from compare.checking.calling.trying import close

UNIT = 2.0**-24  # unit roundoff of float32, in which the code may compute


def judge(plan):
    """(outcome, what is seen) of the gradient of a convolution's bias, (F,); None where there is none to be found.

    Wanted is the sum over batch and places of the upstream gradient (N, H', W', F), divided by what the filters'
    gradient is divided by: y = x * w + b, so dy/db = 1 at each place. Allowed is what adding up may round in float32.

    Args:
        plan: a `Plan`.
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
    return _compare(np.ravel(found), dy, filters, network.backward_stage("conv", x, dy)["conv_weight"])


def _gradient(plan, bias, before, after, items):
    """Where a backward left it: beside the kernel, under its name, or in what the bias moved by; None if nowhere."""
    used = {where for how, where in (*plan.gradients.values(), plan.dx or ("", None)) if how == "returned"}
    for key, value in items.items():
        if key not in used and value.size == plan.sizes.filters and value.dtype.kind == "f":
            return value
    fresh = [path for path, a in after.items() if path not in before or not arrays.same(a, before[path])]
    named = [p for p in fresh if p != bias and after[p].size == plan.sizes.filters and arrays.is_gradient(p)]
    if named:  # of several nothing says which one it is
        return after[named[0]] if len(named) == 1 else None
    return (before[bias] - after[bias]) / RATE if bias in fresh and bias in before else None


def _compare(found, dy, filters, right):
    count, wanted = len(dy), dy.sum(axis=(0, 1, 2))
    allowance = UNIT * (dy.size // len(wanted)) * np.abs(dy).sum(axis=(0, 1, 2))
    scales = [1.0, 1.0 / count]
    if filters is not None:  # the filters' gradient says which of the two this code is for
        scales = [scale for scale in scales if close(filters, right * scale)] or scales
    if any((np.abs(found - wanted * scale) <= allowance).all() for scale in scales):
        return "agrees", ""
    beside = f", beside filters whose gradient is {scales[0]:.3g} times theirs" if len(scales) == 1 else ""
    times = found / wanted
    alike = np.allclose(times, times[0], rtol=1e-3)
    seen = f"{times[0]:.3g} times the sum" if alike else f"found {found[0]:.6g}, wanted {wanted[0]:.6g}, the sum"
    return "differs", f"{seen} of the upstream gradient over batch and places (N = {count}){beside}"
