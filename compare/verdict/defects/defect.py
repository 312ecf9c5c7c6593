"""What a known defect is, and the two ways in which most of them are made: what a function gives, what it sees."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from compare.graph import STEP_OF
from compare.verdict.network import Network


@dataclass(frozen=True)
class Defect:
    """A mistake that people make.

    name: what is wrong, in a few words.
    stage: where the change is, a value of `judge.STAGE_OF`.
    looks: what one sees of it in the numbers.
    advice: what to do about it.
    change: makes it, in place, in a `Network`.
    others: changes by which it may be made as well, that give other numbers where the right ones are lost.
    """

    name: str
    stage: str
    looks: str
    advice: str
    change: Callable[[Network], None]
    others: tuple[Callable[[Network], None], ...] = ()

    @property
    def ways(self):
        """The defect as each of its changes makes it."""
        return [self, *(replace(self, change=change, others=()) for change in self.others)]


@dataclass(frozen=True)
class Change:
    """A change that says which quantities of a function it concerns, where a function gives several."""

    quantities: frozenset[str]
    make: Callable[[Network], None]

    def __call__(self, network):
        """Make it, in place."""
        self.make(network)


def at(stage, *rows):
    """The `Defect`s of one stage, from rows of name, change, looks, advice and other changes."""
    return tuple(Defect(name, stage, looks, advice, change, tuple(more)) for name, change, looks, advice, *more in rows)


def wrap(network, name, wrong):
    """Replace the function `name` of a network by wrong(right, *arguments)."""
    right = getattr(network, name)
    setattr(network, name, lambda *arguments: wrong(right, *arguments))


def gives(quantity, turn):
    """The change after which turn(value, given) comes out where a quantity should.

    Args:
        quantity: a name of `graph.STEPS`.
        turn: `given` holds, by the names of the table, what the function was given; the dtype stays that of the value.
    """
    step = STEP_OF[quantity]

    def wrong(right, *arguments):
        found = dict(zip(step.gives, _as_tuple(step, right(*arguments)), strict=True))
        value = np.asarray(found[quantity])
        found[quantity] = np.array(turn(value, _by_name(step, arguments)), value.dtype, order="C")
        return _as_given(step, found)

    return Change(frozenset({quantity}), lambda network: wrap(network, step.function, wrong))


def sees(*quantities, **turns):
    """The change after which some quantities of one function are computed from other arguments.

    Args:
        quantities: names of what one step of `graph.STEPS` gives; what else it gives stays right.
        turns: by the name of an argument, turn(value, given), as of `gives`.
    """
    step = STEP_OF[quantities[0]]

    def wrong(right, *arguments):
        given = _by_name(step, arguments)
        seen = given | {name: turn(given[name], given) for name, turn in turns.items()}
        for name in turns:
            if isinstance(given[name], np.ndarray):
                seen[name] = np.array(seen[name], given[name].dtype, order="C")
        found = dict(zip(step.gives, _as_tuple(step, right(*seen.values())), strict=True))
        if len(quantities) < len(step.gives):
            found = dict(zip(step.gives, right(*arguments), strict=True)) | {name: found[name] for name in quantities}
        return _as_given(step, found)

    return Change(frozenset(quantities), lambda network: wrap(network, step.function, wrong))


def both(*changes):
    """One `Change` after the other."""

    def make(network):
        for each in changes:
            each(network)

    return Change(frozenset().union(*(each.quantities for each in changes)), make)


def _by_name(step, arguments):
    return dict(zip((*step.takes, "padding"), arguments, strict=False))


def _as_tuple(step, found):
    return found if len(step.gives) > 1 else (found,)


def _as_given(step, found):
    return tuple(found.values()) if len(step.gives) > 1 else found[step.gives[0]]


def of_a_pass(before):
    """Whether `Network.before` is that of a whole pass (which holds what was computed), not of a stage alone."""
    return before is not None and "probabilities" in before
