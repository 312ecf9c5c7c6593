"""Mistakes in the update: every gradient is right, and still the network goes elsewhere."""

import numpy as np

from compare.graph import PARAMETERS
from compare.verdict.defects.defect import Defect, at, wrap

STAGE = "update"


def _step(wrong, only=PARAMETERS):
    """The step moves parameters to wrong(parameter, gradient, rate); those that are not of `only` as it should."""

    def change(network):
        def update(right, parameters, gradients, rate, memory):
            after = right(parameters, gradients, rate, memory)
            return {
                name: wrong(p, gradients[name], rate) if name in only else after[name] for name, p in parameters.items()
            }

        wrap(network, "update", update)

    return change


def _remembered(wrong):
    """The step goes by wrong(gradient, memory, name) instead of the gradient; `memory` lasts from step to step."""

    def change(network):
        def update(right, parameters, gradients, rate, memory):
            own = memory.setdefault(wrong, {})  # of two mistakes of this kind each remembers for itself
            return right(parameters, {n: wrong(gradients[n], own, n) for n in parameters}, rate, memory)

        wrap(network, "update", update)

    return change


def _kept(memory, name, value):
    memory[name] = value
    return value


def _momentum(d, memory, name):
    return _kept(memory, name, 0.9 * memory[name] + d if name in memory else d)


def _running_mean(d, memory, name):
    return _kept(memory, name, 0.9 * memory.get(name, 0 * d) + 0.1 * d)


def _adagrad(d, memory, name):
    return d / (np.sqrt(_kept(memory, name, memory.get(name, 0 * d) + d * d)) + 1e-8)


def _adam(d, memory, name):
    count, mean, square = memory.get(name, (0, 0 * d, 0 * d))
    count, mean, square = _kept(memory, name, (count + 1, 0.9 * mean + 0.1 * d, 0.999 * square + 0.001 * d * d))
    return mean / (1 - 0.9**count) / (np.sqrt(square / (1 - 0.999**count)) + 1e-8)


def _one_late(d, memory, name):
    before = memory.get(name, 0 * d)
    memory[name] = d
    return before


def _only_once(d, memory, name):
    return 0 * d if name in memory else _kept(memory, name, d)


def _shared_size(d, memory, name):
    """One running number for all parameters, of the size of the last one's gradient, scales every step."""
    size = float(np.sqrt((d**2).mean()))
    return d / (_kept(memory, "size", 0.9 * memory["size"] + 0.1 * size if "size" in memory else size) + 1e-8)


def _decaying(d, memory, name):
    return d / _kept(memory, name, memory.get(name, 0) + 1)


# what one parameter does while the others step as they should: name, the step, looks, advice
# fmt: off
ALONE = (
    ("{them} not updated", lambda p, d, rate: p.copy(),
     "{name} after a step is as before", "subtract rate * d_{name} too"),
    ("{them} moved uphill", lambda p, d, rate: p + rate * d,
     "{name} goes the other way in a step", "subtract rate * d_{name}, do not add it"),
    ("{them} moved by the whole gradient", lambda p, d, rate: p - d,
     "{name} goes too far in a step: the learning rate is missing", "subtract rate * d_{name}"),
    ("{them} moved by the parameter instead of its gradient", lambda p, d, rate: p - rate * p,
     "{name} shrinks by the learning rate in each step", "subtract rate * d_{name}, not rate * {name}"),
)
# fmt: on
THEM = {"conv_weight": "the filters are", "dense_weight": "the dense weights are", "dense_bias": "the bias is"}

OF_ONE = tuple(
    Defect(words.format(them=them), STAGE, looks.format(name=name), advice.format(name=name), _step(step, (name,)))
    for words, step, looks, advice in ALONE
    for name, them in THEM.items()
)

# fmt: off
OF_ALL = at(
    STAGE,
    ("learning rate applied twice", _step(lambda p, d, rate: p - rate * rate * d),
     "each step is too small by the learning rate", "multiply by it once: in backward or in the step"),
    ("learning rate not applied", _step(lambda p, d, rate: p - d),
     "each step is the whole gradient", "multiply the gradient by the learning rate"),
    ("ascent instead of descent", _step(lambda p, d, rate: p + rate * d),
     "each step goes the other way", "subtract the gradient"),
    ("every step taken twice", _step(lambda p, d, rate: p - 2 * rate * d),
     "each step is twice as long as it should be", "update in backward, or in the step, not in both"),
    ("parameters replaced by the step", _step(lambda p, d, rate: -rate * d),
     "parameters after a step are -rate times the gradient", "w -= rate * d, not w = -rate * d"),
    ("nothing moves", _step(lambda p, d, rate: p.copy()),
     "parameters after a step are those before", "update the arrays that forward uses, not copies or old gradients"),
    ("only the filters move", _step(lambda p, d, rate: p.copy(), ("dense_weight", "dense_bias")),
     "dense_weight and dense_bias after a step are as before", "hand the optimizer the parameters of all layers"),
    ("only the sign of the gradient counts", _step(lambda p, d, rate: p - rate * np.sign(d)),
     "each number moves by the learning rate, whatever its gradient", "subtract rate * gradient"),
    ("gradients scaled to length 1", _step(lambda p, d, rate: p - rate * d / max(float(np.sqrt((d**2).sum())), 1e-12)),
     "each parameter moves by the learning rate in all, however large its gradient", "plain SGD scales nothing"),
    ("momentum left in", _remembered(_momentum),
     "the first step is right, the second goes on with 0.9 of the first", "plain SGD has no momentum"),
    ("a running mean of gradients left in", _remembered(_running_mean),
     "the first step is a tenth as large, the next ones go on with 0.9 of the mean before",
     "plain SGD goes by the gradient itself"),
    ("Adagrad left in", _remembered(_adagrad),
     "the first step moves each number by the learning rate, later ones by less", "plain SGD divides by nothing"),
    ("Adam left in", _remembered(_adam),
     "the first step moves each number by the learning rate, later ones by running means", "plain SGD keeps no state"),
    ("gradients of the first step kept", _remembered(lambda d, memory, name: memory.setdefault(name, d)),
     "the first step is right, all others repeat it", "compute the gradients anew in every step"),
    ("only the first step moves", _remembered(_only_once),
     "the first step is right, the others move nothing",
     "hand the optimizer the gradients of this step: it holds arrays that nobody fills any more"),
    ("gradients of the step before", _remembered(_one_late),
     "the first step moves nothing, each later one by the gradient before its own",
     "compute the gradients before the step, not after it"),
    ("one state shared by all parameters", _remembered(_shared_size),
     "steps are scaled by a running size of gradients that all parameters share",
     "plain SGD keeps no state; an optimizer that does keeps one for each parameter"),
    ("the learning rate decays", _remembered(_decaying),
     "the first step is right, the next ones are half, a third, ... as large",
     "keep the learning rate, or declare the schedule"),
    ("weight decay left in", _step(lambda p, d, rate: p - rate * (d + 0.01 * p)),
     "each step also shrinks the parameters by 1% of the learning rate", "plain SGD has no weight decay"),
    ("gradients clipped to -0.01 .. 0.01", _step(lambda p, d, rate: p - rate * np.clip(d, -0.01, 0.01)),
     "small steps are right, large ones are cut off", "plain SGD clips nothing"),
)
# fmt: on

DEFECTS = (*OF_ONE, *OF_ALL)
