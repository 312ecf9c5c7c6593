"""The loss of the code, a function or a class, held to the cross-entropy."""

import contextlib
import dataclasses
import inspect
import re
from typing import Any

import numpy as np

from compare.checking.calling import arrays, naming, trying, words
from compare.checking.calling.naming import stage_of
from compare.checking.calling.words import plain
from compare.checking.finding import backwards
from numpy_cnn.layers import Layers

CLASS_COUNTS = {"numclass", "numclasses", "nclass", "nclasses", "classes", "noutputs", "outputsize", "k", "c"}


@dataclasses.dataclass(frozen=True)
class Loss:
    """A loss function as the code wants it called.

    takes: "probabilities" or "logits". labels: "index", "one-hot", or "column", indices (N, 1). labels_first: their
        place in the call. columns: whether each image is a column, (K, N).
    batches_of_one: whether it stands behind layers that take one image at a time, and does as they do.
    gradient: a function that gives that of the logits.
    value_at, gradient_at: the places of value and gradient where the loss returns several things; None for a bare
        value, and where no gradient is among them.
    """

    function: Any
    takes: str
    labels: str
    labels_first: bool
    one_image: bool
    columns: bool = False
    batches_of_one: bool = False
    gradient: Any = None
    value_at: int | None = None
    gradient_at: int | None = None

    @property
    def gives_gradient(self):
        """Whether there is a gradient of the logits."""
        return self.gradient_at is not None or self.gradient is not None

    def described(self):
        """What was found out, in one line."""
        how = "one image at a time" if self.one_image else "a batch at a time"
        how += ", a column each" if self.columns else ""
        name = self.function.__name__
        return f"{name} is taken as the loss: {how}, of {self.takes}, labels as {self.labels}"

    def _chunks(self, x, labels):
        given = np.eye(x.shape[1], dtype=x.dtype)[labels] if self.labels == "one-hot" else np.array(labels)
        given = given[:, None] if self.labels == "column" else given
        if not self.one_image:
            size = 1 if self.batches_of_one else len(x)
            found = [(x[n : n + size], given[n : n + size]) for n in range(0, len(x), size)]
            return [(one.T.copy(), other.T.copy()) if self.columns else (one.copy(), other) for one, other in found]
        return [(row.copy(), y if self.labels == "one-hot" else int(y)) for row, y in zip(x, given, strict=True)]

    def _call(self, function, x, y):
        parameters = list(inspect.signature(function).parameters.values())
        first, second = (y, x) if self.labels_first else (x, y)
        if len(parameters) < 2:
            raise TypeError(f"{function.__name__} takes one argument, wanted a prediction and its labels")
        more = [plain(p.name) for p in parameters[2:] if p.default is p.empty and p.kind != p.VAR_KEYWORD]
        if more and not set(more) <= CLASS_COUNTS:
            raise TypeError(f"{function.__name__} wants {', '.join(more)}, which nothing is known for")
        return function(first, second, *(np.shape(x)[-1] for _ in more))

    def value(self, x, labels):
        """The loss of probabilities or logits (N, K), whichever it takes; the mean of what it gives for each image."""
        found = [self._call(self.function, *chunk) for chunk in self._chunks(x, labels)]
        found = [each if self.value_at is None else each[self.value_at] for each in found]
        return np.mean([np.mean(each) for each in found]).astype(np.asarray(found[0]).dtype)

    def d_logits(self, x, labels):
        """(N, K), of the mean over images where the code takes one at a time."""
        if self.gradient_at is not None:
            found = [self._call(self.function, *chunk)[self.gradient_at] for chunk in self._chunks(x, labels)]
        else:
            found = [self._call(self.gradient, *chunk) for chunk in self._chunks(x, labels)]
        if not self.one_image and not self.batches_of_one:
            return np.asarray(found[0]).T if self.columns else np.asarray(found[0])
        return np.stack([np.asarray(each).reshape(x.shape[1]) for each in found]) / x.dtype.type(len(x))


class OfClass:
    """A loss class spoken to as a function of prediction and labels: a fresh object, forward, backward on request."""

    def __init__(self, cls, forward, backward=None):
        self.cls, self.forward, self.backward = cls, forward, backward
        self.__name__ = cls.called
        self.__signature__ = cls.methods[forward]

    def __call__(self, first, second):
        """The loss; with a backward, the gradient that it leaves: returned, or in an attribute named like one."""
        wanted = [name for name, p in self.cls.__signature__.parameters.items() if p.default is p.empty]
        counts = [
            np.shape(each)[-1] for each in (first, second) if np.ndim(each) and np.asarray(each).dtype.kind == "f"
        ]
        code = self.cls(**{name: counts[0] for name in wanted if counts and plain(name) in CLASS_COUNTS})
        value, _ = code.call(self.forward, first, second)
        if self.backward is None:
            return value
        known = {"x": first, "labels": second, "out": value}
        signature = self.cls.methods[self.backward]
        required = [p for p in signature.parameters.values() if p.default is p.empty]
        arguments = [first, second] if len(required) == 2 else [given_backward(required[0], known)] if required else []
        found, _ = code.call(self.backward, *arguments)
        if isinstance(found, np.ndarray):
            return found
        kept = {plain(str(path[-1]).lstrip("._")): array for path, array in arrays.arrays_of(code).items()}
        named = [kept[name] for name in backwards.INPUT_GRADIENTS if name in kept]
        if not named:
            raise TypeError(f"{self.__name__}.{self.backward} gave no gradient")
        return named[0]


def given_backward(parameter, known):
    """What the only argument of a loss's backward is: labels by their name, else an upstream gradient of 1."""
    return known["labels"] if plain(parameter.name) in words.LABELS else 1.0


# Of several classes, by its name, and not that of two.
CROSS_ENTROPY = re.compile(r"^(?!.*(binary|bce)).*(entropy|nll|xent|log_?loss|softmax|ce_?loss)", re.I)


def find_loss_class(classes):
    """(`Loss`, class) of the first class that gives the cross-entropy, or else says so; (None, None) without one."""
    named: tuple = (None, None)
    for cls in classes:
        forward = trying.method_of(cls, naming.FORWARDS)
        if forward is None or len(cls.methods[forward].parameters) < 2:
            continue
        backward = next(iter(naming.backwards_of(cls.methods)), None)
        gradient = OfClass(cls, forward, backward) if backward is not None else None
        loss, agrees = _loss(OfClass(cls, forward), gradient)
        if agrees:
            return loss, cls
        if loss is not None and named[0] is None and CROSS_ENTROPY.search(cls.name):
            named = loss, cls
    return named


def find_loss(functions):
    """The `Loss` among functions; None if there is none.

    Raises:
        NotConnectedError: one is named like a loss, and gave nothing in any way to call it, or is no cross-entropy.
    """
    named = {name: function for name, function in functions.items() if stage_of(name) == ("loss", False)}
    backward = next((function for name, function in functions.items() if stage_of(name) == ("loss", True)), None)
    found = {name: _loss(function, backward) for name, function in named.items()}
    agreeing = sorted((loss for loss, agrees in found.values() if agrees), key=lambda loss: not loss.gives_gradient)
    if agreeing or not found:
        return agreeing[0] if agreeing else None
    for name, (loss, _) in found.items():
        if loss is not None and CROSS_ENTROPY.search(name):
            return loss  # it says what it is, so that what it gives instead is for the judge
    name, (loss, _) = next(iter(found.items()))
    reason = "no way to call it gave a number" if loss is None else "it is another loss than the cross-entropy"
    raise trying.NotConnectedError("loss", f"{name}: {reason}")


# (one image at a time, images as columns, form of the labels), the usual ones first
_FORMS = (
    *((one_image, False, form) for one_image in (False, True) for form in ("index", "one-hot")),
    *((False, True, form) for form in ("one-hot", "index")),
    (False, False, "column"),
)


def _loss(function, backward):
    """(`Loss` or None, whether it gives the cross-entropy) of one function."""
    rng = np.random.default_rng(7)
    logits, labels = rng.standard_normal((3, 5)), np.array([4, 0, 2])
    network = Layers((6, 6, 1), 2, 5, dtype=np.float64)
    inputs = {"logits": logits, "probabilities": network.forward_stage("probabilities", logits)}
    wanted = network.forward_stage("loss", logits, labels)
    d_logits = network.backward_stage("loss", logits, np.float64(1), labels)["logits"]
    names = [plain(name) for name in inspect.signature(function).parameters]
    is_label = [name in words.LABELS for name in names[:2]]
    orders = (True,) if is_label == [True, False] else (False,) if is_label == [False, True] else (False, True)
    takes_logits = names[:1] in (["logits"], ["z"]) or "softmax" in function.__name__.lower()
    ran: list = []
    for first in orders:
        for takes in ("logits", "probabilities") if takes_logits else ("probabilities", "logits"):
            for one_image, columns, form in _FORMS:
                loss = Loss(function, takes, form, first, one_image, columns)
                try:
                    x, y = loss._chunks(inputs[takes], labels)[0]
                    result = loss._call(function, x, y)
                    rows = inputs["probabilities"][: 1 if one_image else None]
                    loss = dataclasses.replace(loss, **_places(result, x.shape, rows, labels, columns))
                    value = loss.value(inputs[takes], labels)
                    agrees = any(np.isclose(value, each, rtol=1e-3) for each in (wanted, 3 * wanted))
                except trying.FAILURES:  # a way to call it that is not the code's
                    continue
                if np.isfinite(value):
                    ran.append((not agrees, len(ran), loss))
    if not ran:
        return None, False

    def gradient(loss, takes):
        """Of the logits, where the function that is said to give it takes what the loss takes; None where not."""
        with contextlib.suppress(*trying.FAILURES):  # its arguments are others
            of = dataclasses.replace(loss, gradient=loss.gradient or backward, takes=takes)
            return of.d_logits(inputs[takes], labels)
        return None

    def right(found):
        return found is not None and any(trying.close(found, n * d_logits) for n in (1, len(labels)))

    # of a loss that is wrong its gradient may say what it is of
    differs, _, loss = min(
        ran, key=lambda each: (each[0], each[0] and not right(gradient(each[2], each[2].takes)), each[1])
    )
    if loss.gives_gradient or backward is None:
        return loss, not differs
    found = {takes: gradient(loss, takes) for takes in ("logits", "probabilities")}
    agreed = [takes for takes in found if right(found[takes])]
    given = found[loss.takes]
    # right of what this loss is not given: it is another one's
    if given is None or given.shape != d_logits.shape or (agreed and loss.takes not in agreed):
        return loss, not differs
    trial = dataclasses.replace(loss, gradient=backward)
    return (loss if _of_another(trial, given, labels) else trial), not differs


def _of_another(loss, found, labels):
    """Whether what a loss of probabilities hands back is another quantity, which the contract does not have.

    That is the gradient of the probabilities, which grows without bound where one is small, or the labels for a softmax
    that does the rest.
    """
    if loss.takes != "probabilities":
        return False
    sharp = np.full(found.shape, 1e-6)
    sharp[np.arange(len(labels)), (labels + 1) % found.shape[1]] = 1 - 1e-6 * (found.shape[1] - 1)
    try:
        large = np.abs(loss.d_logits(sharp, labels)).max() > 10  # p - y is at most 1, whatever it is scaled by
    except trying.FAILURES:  # it has been called before: of these numbers it has to say so where it is judged
        large = False
    return large or not found[np.eye(found.shape[1])[labels] == 0].any()


def _adds_up(found):
    """Whether an array is one of probabilities, in rows: whatever they are of, no gradient."""
    return found.dtype.kind == "f" and (found >= 0).all() and np.allclose(found.sum(axis=-1), 1)


def _places(result, shape, probabilities, labels, columns):
    """Where in what a loss returned its value stands, and a gradient: an array like the logits, not probabilities.

    Of several numbers, such as an accuracy beside the loss, the value is the cross-entropy where one is that.

    Args:
        shape: of what it was given, of which columns are images or not. probabilities: (N, K) of the same images.
        labels: of all images.
    """
    if not isinstance(result, tuple | list):
        return {}
    arrays = [np.asarray(each) if isinstance(each, np.ndarray | np.generic | float) else np.zeros(0) for each in result]
    true = probabilities[np.arange(len(probabilities)), labels[: len(probabilities)]]
    values = [place for place, a in enumerate(arrays) if a.size in (1, len(true))]
    gradients = [place for place, a in enumerate(arrays) if a.shape == shape and not _adds_up(a.T if columns else a)]
    wanted = -np.log(true).mean()
    right = [
        place for place in values if np.isclose(np.mean(arrays[place]), (wanted, len(true) * wanted), rtol=1e-3).any()
    ]
    return {"value_at": next(iter([*right, *values]), 0), "gradient_at": next(iter(gradients), None)}
