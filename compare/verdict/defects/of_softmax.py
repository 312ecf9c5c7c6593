"""Mistakes in softmax and cross-entropy."""

import math

import numpy as np

from compare.verdict.defects.defect import at, both, gives, sees
from compare.verdict.defects.turns import doubled, negated, over_batch, times_batch


def _softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def _probabilities(wrong):
    """The forward pass gives wrong(logits)."""

    def turn(p, given):
        with np.errstate(all="ignore"):
            return wrong(given["logits"])

    return gives("probabilities", turn)


def _quotient(e, axis=1):
    return e / e.sum(axis=axis, keepdims=True)


def _sigmoid(z):
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1 / (1 + e), e / (1 + e))


def _loss(wrong):
    """The loss is the mean of wrong(p, y), a number for each image."""

    def turn(loss, given):
        with np.errstate(all="ignore"):
            return wrong(_softmax(given["logits"]), _one_hot(given)).mean()

    return gives("loss", turn)


def _one_hot(given):
    return np.eye(given["logits"].shape[1], dtype=given["logits"].dtype)[given["labels"]]


def _of_label(p, y):
    return (p * y).sum(axis=1)


def _binary(p, y):
    return -np.log(np.where(y == 1, p, 1 - p)).sum(axis=1)


def _back(wrong):
    """d_logits is wrong(right d_logits, p, y)."""

    def turn(d, given):
        with np.errstate(all="ignore"):
            return wrong(d, _softmax(given["logits"]), _one_hot(given))

    return gives("d_logits", turn)


def _both_with(**turns):
    """The loss and its gradient see other arguments."""
    return both(sees("loss", **turns), sees("d_logits", **turns))


def _unshifted(d, given):
    with np.errstate(all="ignore"):
        p = _quotient(np.exp(given["logits"]))
    return np.where(np.isfinite(p), d, p)  # whatever it is divided by


def _unshifted_rows(d, given):
    """By the Jacobian, in which each entry holds the sum of all of them."""
    lost = ~np.isfinite(_unshifted(d, given)).all(axis=1, keepdims=True)
    return np.where(lost, np.nan, d)


# fmt: off
SOFTMAX = at(
    "softmax forward",
    ("no shift in the softmax", _probabilities(lambda z: _quotient(np.exp(z))),
     "NaN for large logits", "subtract the row's maximum before exp"),
    ("one shift for the whole batch", _probabilities(lambda z: _quotient(np.exp(z - z.max()))),
     "NaN for a row of small logits beside one of large ones",
     "shift each row by its own maximum, or small rows become 0 / 0"),
    ("softmax over the batch", _probabilities(lambda z: _quotient(np.exp(z - z.max(axis=0, keepdims=True)), axis=0)),
     "columns sum to 1, not rows", "sum over the classes: axis=1, keepdims=True"),
    ("softmax divided by the sum of the whole batch",
     _probabilities(lambda z: _quotient(np.exp(z - z.max(axis=1, keepdims=True)), axis=(0, 1))),
     "all rows together sum to 1", "np.sum without an axis takes the batch together: axis=1, keepdims=True"),
    ("softmax not divided by its sum", _probabilities(lambda z: np.exp(z - z.max(axis=1, keepdims=True))),
     "the largest of each row is 1", "divide exp(z) by its sum over the classes"),
    ("softmax applied twice", _probabilities(lambda z: _softmax(_softmax(z))),
     "probabilities are nearly even", "give the loss, or the second softmax, the logits"),
    ("softmax of the negative logits", _probabilities(lambda z: _softmax(-z)),
     "the largest logit has the smallest probability", "exp(z - max), not exp(max - z)"),
    ("powers of 2 in the softmax", _probabilities(lambda z: _softmax(z * math.log(2))),
     "probabilities are more even than they should be", "exp, not exp2: the derivative p - y belongs to that"),
    ("logarithms of the probabilities given", _probabilities(lambda z: np.log(_softmax(z))),
     "no entry is above 0", "log_softmax is for the loss; probabilities are its exp"),
    ("sigmoid instead of softmax", _probabilities(_sigmoid),
     "rows do not sum to 1", "divide exp(z) by its sum over the classes"),
)
# fmt: on

# fmt: off
LOSS = at(
    "loss forward",
    ("loss in bits", gives("loss", lambda loss, given: loss / math.log(2)),
     "the loss is 1.4427 times too large", "use the natural logarithm: its derivative is what p - y belongs to"),
    ("loss in decimal logarithms", gives("loss", lambda loss, given: loss / math.log(10)),
     "the loss is 2.3026 times too small", "use the natural logarithm: its derivative is what p - y belongs to"),
    ("loss clipped at 1e-3", _loss(lambda p, y: -np.log(np.clip(_of_label(p, y), 1e-3, 1))),
     "right until a probability falls below 1e-3; then no more than 6.9",
     "compute the loss from the logits: log(sum(exp(z - max))) - (z[label] - max)"),
    ("1e-3 added inside the logarithm", _loss(lambda p, y: -np.log(_of_label(p, y) + 1e-3)),
     "the loss is too small, most of all for small probabilities",
     "compute the loss from the logits: nothing has to be kept from 0 then"),
    ("loss summed over the batch", gives("loss", times_batch),
     "right for a batch of one; else N times too large, though the gradients are of the mean",
     "divide by N, or sum the gradients too"),
    ("loss divided by the batch twice", gives("loss", over_batch),
     "right for a batch of one; else N times too small", "divide by N once"),
    ("loss divided by the number of classes", gives("loss", lambda loss, given: loss / given["logits"].shape[1]),
     "the loss is K times too small", "sum over the classes, and take the mean over the batch only"),
    ("loss of the first image only",
     sees("loss", logits=lambda z, given: z[:1], labels=lambda labels, given: labels[:1]),
     "right for a batch of one; else the others do not count", "index the images by n, and take the mean"),
    ("loss of the last image only",
     sees("loss", logits=lambda z, given: z[-1:], labels=lambda labels, given: labels[-1:]),
     "right for a batch of one; else the others do not count", "add with += over the batch, and divide by N"),
    ("probabilities taken for logits in the loss", _loss(lambda p, y: -np.log(_of_label(_softmax(p), y))),
     "the loss lies near log(K) whatever the network says", "a loss from logits must be given logits"),
    ("squared error instead of cross-entropy", _loss(lambda p, y: ((p - y) ** 2).sum(axis=1)),
     "the loss is never above 2", "minus the logarithm of the label's probability"),
    ("binary cross-entropy of all classes", _loss(_binary),
     "the loss is too large: the other classes add -log(1 - p)",
     "minus the logarithm of the label's probability, and nothing else"),
    ("no logarithm in the loss", _loss(lambda p, y: -_of_label(p, y)),
     "the loss lies between -1 and 0", "minus the logarithm of the label's probability"),
    ("loss with the wrong sign", gives("loss", negated),
     "the loss is negative", "the loss is minus the logarithm"),
    ("labels off by one", _both_with(labels=lambda labels, given: (labels - 1) % given["logits"].shape[1]),
     "loss and gradients are those of the class before", "labels count from 0, as the digits do"),
    ("labels of the image before", _both_with(labels=lambda labels, given: np.roll(labels, 1)),
     "right for a batch of one; else loss and gradients are those of mixed up labels",
     "images and labels must be shuffled in the same order"),
)
# fmt: on

# fmt: off
BACKWARD = at(
    "loss backward",
    ("(p - y) / 2", _back(lambda d, p, y: d / 2),
     "all gradients are half as large", "cross-entropy's derivative has no 2: that one belongs to the squared error"),
    ("2 (p - y)", gives("d_logits", doubled),
     "all gradients are twice as large", "cross-entropy's derivative has no 2: that one belongs to the squared error"),
    ("only the diagonal of the softmax's derivative", _back(lambda d, p, y: d * y),
     "d_logits is 0 but for the label", "every logit moves every probability: together that is p - y"),
    ("p - y times p (1 - p)", _back(lambda d, p, y: d * p * (1 - p)),
     "d_logits is too small by p (1 - p)", "p - y is the derivative already; p (1 - p) is the sigmoid's"),
    ("p - y sent through the softmax once more", _back(lambda d, p, y: p * (d - (p * d).sum(axis=1, keepdims=True))),
     "d_logits is p - y times the softmax's derivative: too small, nearly 0 where the network is sure",
     "p - y is the gradient of the logits already"),
    ("gradient of the probabilities taken for that of the logits",
     _back(lambda d, p, y: np.where(y == 1, -y / p, 0) / len(d)),
     "d_logits is -1 / p at the label, else 0", "-y / p has yet to go through the softmax: together that is p - y"),
    ("y - p", gives("d_logits", negated),
     "all gradients have the wrong sign", "p - y: the step subtracts the gradient"),
    ("the label is not subtracted", _back(lambda d, p, y: p / len(p)),
     "d_logits is p / N", "subtract 1 at the label"),
    ("the label is subtracted twice", _back(lambda d, p, y: (p - 2 * y) / len(p)),
     "d_logits is too small by 1 / N at the label", "subtract 1 at the label once: in the loss or in the softmax"),
    ("the labels of all images are subtracted in each row", _back(lambda d, p, y: (p - y.max(axis=0)) / len(p)),
     "right for a batch of one; else 1 / N is missing wherever any image has its label",
     "p[np.arange(N), labels] -= 1, not p[:, labels] -= 1"),
    ("averaged over classes too", _back(lambda d, p, y: d / d.shape[1]),
     "all gradients are K times too small", "divide by N, the batch, not by the number of elements"),
    ("divided by the batch twice", gives("d_logits", over_batch),
     "right for a batch of one; else all gradients are N times too small", "divide by N once"),
    ("gradient of a loss in bits", _back(lambda d, p, y: d / math.log(2)),
     "all gradients are 1.4427 times too large", "p - y belongs to the natural logarithm"),
    ("d_logits of large logits is no number", gives("d_logits", _unshifted),
     "NaN for large logits, though the probabilities are right",
     "make it p - y, from the shifted softmax: exp without a shift and y / p overflow",
     gives("d_logits", _unshifted_rows)),
)
# fmt: on

DEFECTS = (*SOFTMAX, *LOSS, *BACKWARD)
