"""Mistakes in the update: every gradient is right, and still the network goes elsewhere."""

import numpy as np

from compare.verdict.defects.defect import Defect, wrap

STAGE = "update"


def _step(wrong):
    """The step moves each parameter to wrong(parameter, gradient, rate), the rate in the parameter's dtype."""

    def change(network):
        def update(right, parameters, gradients, rate, memory):
            return {name: wrong(p, gradients[name], p.dtype.type(rate)) for name, p in parameters.items()}

        wrap(network, "update", update)

    return change


def _without(left_out):
    """The step leaves one parameter where it is."""

    def change(network):
        def update(right, parameters, gradients, rate, memory):
            after = right(parameters, gradients, rate, memory)
            return {name: parameters[name].copy() if name == left_out else after[name] for name in after}

        wrap(network, "update", update)

    return change


def _momentum(network):
    def update(right, parameters, gradients, rate, memory):
        for name in parameters:
            kept = memory.get(name)
            d = gradients[name]
            memory[name] = d if kept is None else d.dtype.type(0.9) * kept + d
        return right(parameters, {name: memory[name] for name in parameters}, rate, memory)

    wrap(network, "update", update)


def _first_gradient(network):
    def update(right, parameters, gradients, rate, memory):
        memory.update({name: gradients[name] for name in parameters if name not in memory})
        return right(parameters, {name: memory[name] for name in parameters}, rate, memory)

    wrap(network, "update", update)


def _shared_velocity(network):
    """One running number for all parameters, of the size of the last one's gradient, scales every step."""

    def update(right, parameters, gradients, rate, memory):
        after = {}
        for name, p in parameters.items():
            size = float(np.sqrt((gradients[name] ** 2).mean()))
            memory["size"] = size if "size" not in memory else 0.9 * memory["size"] + 0.1 * size
            after[name] = p - p.dtype.type(rate / (memory["size"] + 1e-8)) * gradients[name]
        return after

    wrap(network, "update", update)


def _decaying_rate(network):
    def update(right, parameters, gradients, rate, memory):
        memory["steps"] = memory.get("steps", 0) + 1
        return right(parameters, gradients, rate / memory["steps"], memory)

    wrap(network, "update", update)


DEFECTS = (
    Defect(
        "learning rate applied twice",
        STAGE,
        "each step is too small by the learning rate",
        "multiply by it once: in backward or in the step",
        _step(lambda p, d, rate: p - rate * rate * d),
    ),
    Defect(
        "learning rate not applied",
        STAGE,
        "each step is the whole gradient",
        "multiply the gradient by the learning rate",
        _step(lambda p, d, rate: p - d),
    ),
    Defect(
        "ascent instead of descent",
        STAGE,
        "each step goes the other way",
        "subtract the gradient",
        _step(lambda p, d, rate: p + rate * d),
    ),
    Defect(
        "nothing moves",
        STAGE,
        "parameters after a step are those before",
        "update the arrays that forward uses, not copies or old gradients",
        _step(lambda p, d, rate: p.copy()),
    ),
    Defect(
        "the filters are not updated",
        STAGE,
        "conv_weight after a step is as before",
        "subtract rate * d_conv_weight too",
        _without("conv_weight"),
    ),
    Defect(
        "the dense weights are not updated",
        STAGE,
        "dense_weight after a step is as before",
        "subtract rate * d_dense_weight too",
        _without("dense_weight"),
    ),
    Defect(
        "the bias is not updated",
        STAGE,
        "dense_bias after a step is as before",
        "subtract rate * d_dense_bias too",
        _without("dense_bias"),
    ),
    Defect(
        "momentum left in",
        STAGE,
        "the first step is right, the second goes on with 0.9 of the first",
        "plain SGD has no momentum",
        _momentum,
    ),
    Defect(
        "gradients of the first step kept",
        STAGE,
        "the first step is right, all others repeat it",
        "compute the gradients anew in every step",
        _first_gradient,
    ),
    Defect(
        "one state shared by all parameters",
        STAGE,
        "steps are scaled by a running size of gradients that all parameters share",
        "plain SGD keeps no state; an optimizer that does keeps one for each parameter",
        _shared_velocity,
    ),
    Defect(
        "the learning rate decays",
        STAGE,
        "the first step is right, the next ones are half, a third, ... as large",
        "keep the learning rate, or declare the schedule",
        _decaying_rate,
    ),
    Defect(
        "weight decay left in",
        STAGE,
        "each step also shrinks the parameters by 1% of the learning rate",
        "plain SGD has no weight decay",
        _step(lambda p, d, rate: p - rate * (d + p.dtype.type(0.01) * p)),
    ),
    Defect(
        "gradients clipped to -0.01 .. 0.01",
        STAGE,
        "small steps are right, large ones are cut off",
        "plain SGD clips nothing",
        _step(lambda p, d, rate: p - rate * np.clip(d, -p.dtype.type(0.01), p.dtype.type(0.01))),
    ),
)
