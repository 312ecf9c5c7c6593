"""How an object of a layer comes to hold its weights: as it is made, by what is called before, by a first call."""

from typing import Any

import numpy as np

from compare.checking.calling import arguments, arrays, naming, orders
from compare.checking.calling.keeping import WEIGHTS
from compare.checking.calling.part import Part
from compare.checking.calling.plan import Plan
from compare.checking.process.things import RaisedError
from compare.contract import NotOfferedError


def alive(make, stage, forward, sizes, channels_first):
    """Makers of an object that holds its weights: as it is made, prepared by a method, after a first call."""
    yield make
    if not WEIGHTS[stage]:
        return
    try:
        code = make(sizes, np.dtype(np.float64))
        held = arrays.arrays_of(code)
    except (RaisedError, TypeError, NotOfferedError):  # the caller has met the same
        return
    plan = Plan(stage, make, "", forward)
    makers = [make, *prepared(make, plan, code.methods)]
    yield from makers[1:]
    if any(a.ndim > 1 and not arrays.is_gradient(p) and not arrays.is_memory(p) for p, a in held.items()):
        return  # it has weights already, of shapes that are not those of these sizes
    for each in makers:
        for _, inward, _ in orders.flows(stage, channels_first):
            yield called(each, stage, forward, inward)


def prepared(make, plan, methods):
    """Makers that call, on what `make` makes, what many layers want to be called before they are used.

    That is one method, or one that takes the shape of what will come in and then another.
    """

    def preparing(names, shape):
        def making(sizes, dtype):
            code = make(sizes, dtype)
            for name in names:
                code.call(name, *arguments.preparation(methods[name], plan.stage, sizes, dtype, shape))
            return code

        return _from(making, make, names, shape)

    ways: list[tuple] = []
    shaped = [name for name, signature in methods.items() if arguments.wants_shape(signature)]
    alone = [name for name in naming.PREPARES if name in methods]
    first = [name for name in shaped if name in (*naming.PREPARES, *naming.SHAPES)]
    ways += [(name,) for name in alone] + [(name,) for name in first if name not in alone]
    ways += [(one, other) for one in first for other in alone if other not in first]
    return [preparing(way, shape) for way in ways for shape in (range(3) if set(way) & set(shaped) else (0,))]


def called(make, stage, forward, inward):
    """A maker whose object has gone forward once: many layers make their weights only then."""

    def making(sizes, dtype):
        part = Part(Plan(stage, make, "", forward, inward=inward, outward=inward), sizes, dtype)
        given = inward.native(np.zeros(_input_shape(stage, sizes), dtype))
        part.last = {"x": given}
        part._call(forward, given, labels=np.zeros(len(given), int))
        return part.code

    return _from(making, make, forward, str(inward))


def origin_of(make):
    """What a maker makes of, and what it calls then; itself where it calls nothing."""
    return getattr(make, "origin", make)


def _from(making: Any, make, *more):
    """A maker that is known again by what it makes of, and what it does more: it is defined anew for each trial."""
    making.origin = (origin_of(make), *more)
    making.of_batch = getattr(make, "of_batch", False)
    return making


def _input_shape(stage, sizes):
    return (2, *(sizes.pool if stage == "logits" else sizes.input_shape))
