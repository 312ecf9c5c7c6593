"""Operators times quantities: the mistakes that people make in much the same way wherever a number is made."""

from collections.abc import Callable
from dataclasses import dataclass

from compare.graph import STAGE_OF, STEP_OF
from compare.verdict.defects.defect import Defect, gives, sees
from compare.verdict.defects.turns import (
    doubled,
    first_image,
    last_image,
    lowered,
    negated,
    over_batch,
    times_batch,
    zeroed,
)


@dataclass(frozen=True)
class Operator:
    """A mistake for any quantity: as of `Defect`, with {quantity}, {it} (its name for people) and {rule} filled in."""

    name: str
    looks: str
    advice: str
    change: Callable


def result(turn):
    """The change of a quantity that turns what comes out."""
    return lambda quantity: gives(quantity, turn)


def upstream(turn):
    """The change of a gradient that turns what it is made from."""
    return lambda quantity: sees(quantity, **{STEP_OF[quantity].takes[-1]: turn})


DROPPED = Operator("{it} dropped", "{quantity} is 0", "compute it, and hand it on: {rule}", result(zeroed))
NEGATED = Operator(
    "{it} with the wrong sign",
    "{quantity} is -1 times what it should be",
    "drop the minus: the step subtracts already",
    result(negated),
)
DOUBLED = Operator(
    "{it} counted twice",
    "{quantity} is twice as large as it should be",
    "add it once: {rule}",
    result(doubled),
)
NOT_DIVIDED = Operator(
    "{it} not divided by the batch",
    "right for a batch of one; else {quantity} is N times too large, the others are not",
    "the loss is a mean: one division by N for all gradients",
    result(times_batch),
)
DIVIDED_TWICE = Operator(
    "{it} divided by the batch twice",
    "right for a batch of one; else {quantity} is N times too small",
    "d_logits is divided by N already: do not divide again",
    result(over_batch),
)
OF_LAST = Operator(
    "{it} of the last image only",
    "right for a batch of one; else the other images add nothing to {quantity}",
    "each image counts: add with += where they are summed, else store each at its own index",
    result(last_image),
)
OF_FIRST = Operator(
    "{it} of the first image only",
    "right for a batch of one; else the other images add nothing to {quantity}",
    "a return or break inside the loop over the batch ends it too early",
    result(first_image),
)
SUM_OF_LAST = Operator(OF_LAST.name, OF_LAST.looks, OF_LAST.advice, upstream(last_image))
SUM_OF_FIRST = Operator(OF_FIRST.name, OF_FIRST.looks, OF_FIRST.advice, upstream(first_image))
LOWERED = Operator(
    "precision lost in the {it}",
    "{quantity} holds the digits of float32 only, in float64 too",
    "keep one dtype all the way; look for an array allocated in another",
    result(lowered),
)

BY_IMAGE = (OF_FIRST, OF_LAST)
HANDED_BACK = (DROPPED, *BY_IMAGE)
OF_PARAMETER = (NEGATED, DOUBLED, NOT_DIVIDED, DIVIDED_TWICE, SUM_OF_LAST, SUM_OF_FIRST, LOWERED)

# quantity, its name for people, the rule it follows, and what goes wrong with it
PRODUCTS = (
    ("conv", "convolution", "sum of window * filter", (*BY_IMAGE, LOWERED)),
    ("logits", "logits", "flattened @ weight + bias", (*BY_IMAGE, LOWERED)),
    ("d_logits", "gradient of the logits", "(p - y) / N", HANDED_BACK),
    ("d_pool", "gradient of the pool", "d_logits @ weight.T", (*HANDED_BACK, DIVIDED_TWICE)),
    ("d_conv", "gradient of the convolution", "each of d_pool at its window's maximum", HANDED_BACK),
    ("d_images", "gradient of the images", "d_conv through the turned filters, all nine taps", HANDED_BACK),
    ("d_conv_weight", "filter gradient", "sum of image * d_conv over batch and places", OF_PARAMETER),
    ("d_dense_weight", "dense weight gradient", "flattened.T @ d_logits", (DROPPED, *OF_PARAMETER)),
    ("d_dense_bias", "bias gradient", "sum of d_logits over the batch", (DROPPED, *OF_PARAMETER)),
)


def _made(operator, quantity, it, rule):
    name, looks, advice = (
        words.format(quantity=quantity, it=it, rule=rule) for words in (operator.name, operator.looks, operator.advice)
    )
    return Defect(name, STAGE_OF[quantity], looks, advice, operator.change(quantity))


DEFECTS = tuple(
    _made(operator, quantity, it, rule) for quantity, it, rule, operators in PRODUCTS for operator in operators
)
