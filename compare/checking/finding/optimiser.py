"""An optimiser of the code, held to what plain SGD is: parameter - rate * gradient, step by step."""

import contextlib
import inspect
import re

import numpy as np

from compare.checking.calling import arguments, arrays, words
from compare.checking.calling.part import Part
from compare.checking.calling.plan import INPUT, UPDATES
from compare.checking.process.things import StrangersError

NAMES = re.compile(r"^(?!.*(momentum|nesterov))(sgd|stochastic_?gradient_?descent|gradient_?descent)", re.I)
RATE = 0.125  # a power of two: only sums are rounded
CLOSE = 1e-6  # of the largest: a few roundings of float32, 2^-24 each, in which the code may compute


def is_plain(cls):
    """Whether a class is plain SGD by its name."""
    return bool(NAMES.match(cls.name))


def judge(cls, dense):
    """(outcome, what is seen) of two steps; None where no way to make and call it was found.

    "differs" is said only where the gradient was followed, or where it holds the parameter itself; and where nothing
    that it is made with, and that is not known here, might be a momentum.

    Args:
        cls: a class of the code.
        dense: the `Plan` of its dense layer, whose parameters it may be given to move; or None.
    """
    method = next((name for name in UPDATES if name in cls.methods), None)
    if method is None:
        return None
    wanted = [p for p in cls.methods[method].parameters.values() if p.default is p.empty]
    if len(wanted) == 2 and arrays.is_gradient((wanted[0].name,)):
        return None  # the gradients come first: no way of these
    for way in (_of_pairs, _of_arrays) if len(wanted) == 2 else (_of_layer,):
        with contextlib.suppress(StrangersError, TypeError, ValueError, KeyError):  # a way that is not the code's
            found = way(cls, method, dense)
            if found is not None:
                return found if found[0] == "agrees" or _is_understood(cls) else None
    return None


def _is_understood(cls):
    """Whether no argument of an unknown name has a default that may do more than plain SGD does."""
    unknown = [
        parameter.default
        for parameter in cls.__signature__.parameters.values()
        if not words.neutral(words.plain(parameter.name)) and words.plain(parameter.name) not in words.RATES
    ]
    return all(default in (inspect.Parameter.empty, None, False, 0, "") for default in unknown)


def _made(cls, *objects):
    """An optimiser, with RATE, nothing but the gradient added, and these for the arguments that have other names."""
    given, left = {}, list(objects)
    for parameter in cls.__signature__.parameters.values():
        name, required = words.plain(parameter.name), parameter.default is parameter.empty
        if name in words.RATES:
            given[parameter.name] = RATE
        elif words.neutral(name):
            given[parameter.name] = 0.0
        elif required and left:
            given[parameter.name] = left.pop(0)
        elif required and parameter.kind not in arguments.VARIADIC:
            raise TypeError(f"{cls.name} wants {parameter.name}, which nothing is known for")
    if left:
        raise TypeError(f"{cls.name} takes no parameters")
    return cls(**given)


def _steps():
    rng = np.random.default_rng(9)
    return [{"w": rng.standard_normal((4, 3)), "b": rng.standard_normal(3)} for _ in range(3)]


def _of_pairs(cls, method, _):
    """update(parameters, gradients), both by name, written to in place or returned."""
    parameters, *gradients = _steps()
    code = _made(cls)
    for number, gradient in enumerate(gradients):
        value, changed = code.call(method, parameters, gradient)
        after = value if isinstance(value, dict) else changed.get(0)
        if after is None:  # what it was handed is as it was: the call is not what it is meant for
            return None
        if seen := _seen(parameters, after, gradient, number):
            return seen
        parameters = after
    return "agrees", ""


def _of_arrays(cls, method, _):
    """update(parameter, gradient), written to in place or returned."""
    parameters, *gradients = _steps()
    code = _made(cls)
    for number, gradient in enumerate(gradients):
        value, changed = code.call(method, parameters["w"], gradient["w"])
        after = value if isinstance(value, np.ndarray) else changed.get(0)
        if after is None:
            return None
        if seen := _seen({"w": parameters["w"]}, {"w": after}, gradient, number):
            return seen
        parameters = {"w": after}
    return "agrees", ""


def _of_layer(cls, method, dense):
    """step() of one that was made with layers, or with the network, and follows the gradients that they keep."""
    if dense is None or not dense.backward or any(how != "stored" for how, _ in dense.gradients.values()):
        return None
    _, parameters, inputs = dense.sizes.trial()
    for together in (True, False):
        part = Part(dense, dense.sizes, np.float64)
        part.set(parameters)
        with contextlib.suppress(StrangersError, TypeError):  # it may want them in a list, or alone
            wanted = cls.methods[method].parameters
            code = _made(cls, *([] if wanted else [[part.code] if together else part.code]))
            for number in range(2):
                (x,) = part.chunks(inputs[INPUT["logits"]])[0]
                dy = np.random.default_rng(number).standard_normal(part.forward(x).shape)
                gradients, before = part.backward(dy, keep=True), part.get()
                code.call(method, *([part.code] if wanted else []))
                after = part.get()
                if all(arrays.same(value, before[name]) for name, value in after.items()) and not _holds(code, part):
                    return None
                if seen := _seen(before, after, gradients, number):
                    return seen
            return "agrees", ""
    return None


def _holds(code, part):
    """Whether an optimiser holds the very array of a layer's weights, and not only the layer."""
    paths = [path for paths, _ in part.plan.weights.values() for path in paths]
    weights = {which for path, (_, which) in part.code.arrays().items() if path in paths}
    held = code.arrays(tuples=True).items()
    own = {which for path, (_, which) in held if not any(str(step).startswith(".") for step in path[1:])}
    return bool(weights & own)


def _seen(before, after, gradients, number):
    """What is wrong with a step, or None."""
    for name, value in before.items():
        right = RATE * gradients[name]
        moved = value.astype(np.float64) - after[name]
        if np.allclose(moved, right, rtol=0, atol=CLOSE * max(np.abs(value).max(), np.abs(right).max())):
            continue
        step = f"step {number + 1}: {name}"
        if not moved.any():
            return "differs", f"{step} stays as it was, whatever its gradient is"
        times = moved / right
        if np.allclose(times, times.flat[0], rtol=1e-3):
            return "differs", f"{step} moves by {times.flat[0]:.3g} times the rate times its gradient"
        return (
            "differs",
            f"{step} moves by {moved.flat[0]:.6g}, wanted {right.flat[0]:.6g}, the rate times its gradient",
        )
    return None
