"""What a known defect is."""

from collections.abc import Callable
from dataclasses import dataclass

from compare.verdict.network import Network


@dataclass(frozen=True)
class Defect:
    """A mistake that people make.

    name: what is wrong, in a few words.
    stage: where the change is, a value of `judge.STAGE_OF`.
    looks: what one sees of it in the numbers.
    advice: what to do about it.
    change: makes it, in place, in a `Network`.
    """

    name: str
    stage: str
    looks: str
    advice: str
    change: Callable[[Network], None]


def wrap(network, name, wrong):
    """Replace the function `name` of a network by wrong(right, *arguments)."""
    right = getattr(network, name)
    setattr(network, name, lambda *arguments: wrong(right, *arguments))


def of_a_pass(before):
    """Whether `Network.before` is that of a whole pass (which holds what was computed), not of a stage alone."""
    return before is not None and "probabilities" in before
