"""Mistakes in softmax and cross-entropy."""

import numpy as np

from compare.verdict.defects.defect import Defect, wrap

SOFTMAX, LOSS, BACKWARD = "softmax forward", "loss forward", "loss backward"


def _probabilities(wrong):
    """The forward pass gives wrong(logits, right)."""

    def change(network):
        wrap(network, "probabilities", lambda right, z: wrong(z, right))

    return change


def _loss(wrong):
    """The loss is wrong(logits, labels, right loss)."""

    def change(network):
        wrap(network, "loss", lambda right, z, labels: wrong(z, labels, right(z, labels)))

    return change


def _back(wrong):
    """d_logits is wrong(right d_logits, p, labels)."""

    def change(network):
        def backward(right, z, labels):
            d = right(z, labels)
            return wrong(d, _softmax(z), labels).astype(d.dtype)

        wrap(network, "loss_backward", backward)

    return change


def _softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def _quotient(e, axis=1):
    with np.errstate(invalid="ignore", over="ignore"):
        return e / e.sum(axis=axis, keepdims=True)


def _unshifted(z, right):
    with np.errstate(over="ignore"):
        return _quotient(np.exp(z))


def _over_batch(z, right):
    return _quotient(np.exp(z - z.max(axis=0, keepdims=True)), axis=0)


def _sigmoid(z, right):
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1 / (1 + e), e / (1 + e)).astype(z.dtype)


def _of_label(p, labels):
    return p[np.arange(len(labels)), labels]


def _clipped(z, labels, right):
    return -np.log(np.clip(_of_label(_softmax(z), labels), 1e-3, 1)).mean().astype(z.dtype)


def _shifted_logarithm(z, labels, right):
    return -np.log(_of_label(_softmax(z), labels) + z.dtype.type(1e-3)).mean()


def _of_probabilities(z, labels, right):
    again = _softmax(_softmax(z))
    return -np.log(_of_label(again, labels)).mean()


def _labels_off_by_one(network):
    def classes(z, labels):
        return (labels - 1) % z.shape[1]

    wrap(network, "loss", lambda right, z, labels: right(z, classes(z, labels)))
    wrap(network, "loss_backward", lambda right, z, labels: right(z, classes(z, labels)))


def _diagonal(d, p, labels):
    """-1/p[label] upstream, times the diagonal p (1 - p) of the softmax's derivative: only the label's entry."""
    kept = np.zeros_like(d)
    rows = np.arange(len(labels))
    kept[rows, labels] = d[rows, labels]
    return kept


def _not_subtracted(d, p, labels):
    return p / p.dtype.type(len(p))


DEFECTS = (
    Defect(
        "no shift in the softmax",
        SOFTMAX,
        "NaN for large logits",
        "subtract the row's maximum before exp",
        _probabilities(_unshifted),
    ),
    Defect(
        "one shift for the whole batch",
        SOFTMAX,
        "NaN for a row of small logits beside one of large ones",
        "shift each row by its own maximum, or small rows become 0 / 0",
        _probabilities(lambda z, right: _quotient(np.exp(z - z.max()))),
    ),
    Defect(
        "softmax over the batch",
        SOFTMAX,
        "columns sum to 1, not rows",
        "sum over the classes: axis=1, keepdims=True",
        _probabilities(_over_batch),
    ),
    Defect(
        "softmax applied twice",
        SOFTMAX,
        "probabilities are nearly even",
        "give the loss, or the second softmax, the logits",
        _probabilities(lambda z, right: right(right(z))),
    ),
    Defect(
        "sigmoid instead of softmax",
        SOFTMAX,
        "rows do not sum to 1",
        "divide exp(z) by its sum over the classes",
        _probabilities(_sigmoid),
    ),
    Defect(
        "loss in bits",
        LOSS,
        "the loss is 1.4427 times too large",
        "use the natural logarithm: its derivative is what p - y belongs to",
        _loss(lambda z, labels, right: right / z.dtype.type(np.log(2))),
    ),
    Defect(
        "loss clipped at 1e-3",
        LOSS,
        "right until a probability falls below 1e-3; then no more than 6.9",
        "compute the loss from the logits: log(sum(exp(z - max))) - (z[label] - max)",
        _loss(_clipped),
    ),
    Defect(
        "1e-3 added inside the logarithm",
        LOSS,
        "the loss is too small, most of all for small probabilities",
        "compute the loss from the logits: nothing has to be kept from 0 then",
        _loss(_shifted_logarithm),
    ),
    Defect(
        "loss summed over the batch",
        LOSS,
        "right for a batch of one; else N times too large, though the gradients are of the mean",
        "divide by N, or sum the gradients too",
        _loss(lambda z, labels, right: right * z.dtype.type(len(z))),
    ),
    Defect(
        "probabilities taken for logits in the loss",
        LOSS,
        "the loss lies near log(K) whatever the network says",
        "a loss from logits must be given logits",
        _loss(_of_probabilities),
    ),
    Defect(
        "loss with the wrong sign",
        LOSS,
        "the loss is negative",
        "the loss is minus the logarithm",
        _loss(lambda z, labels, right: -right),
    ),
    Defect(
        "labels off by one",
        LOSS,
        "loss and gradients are those of the class before",
        "labels count from 0, as the digits do",
        _labels_off_by_one,
    ),
    Defect(
        "(p - y) / 2",
        BACKWARD,
        "all gradients are half as large",
        "cross-entropy's derivative has no 2: that one belongs to the squared error",
        _back(lambda d, p, labels: d / 2),
    ),
    Defect(
        "only the diagonal of the softmax's derivative",
        BACKWARD,
        "d_logits is 0 but for the label",
        "every logit moves every probability: together that is p - y",
        _back(_diagonal),
    ),
    Defect(
        "p - y times p (1 - p)",
        BACKWARD,
        "d_logits is too small by p (1 - p)",
        "p - y is the derivative already; p (1 - p) is the sigmoid's",
        _back(lambda d, p, labels: d * p * (1 - p)),
    ),
    Defect(
        "y - p",
        BACKWARD,
        "all gradients have the wrong sign",
        "p - y: the step subtracts the gradient",
        _back(lambda d, p, labels: -d),
    ),
    Defect(
        "the label is not subtracted",
        BACKWARD,
        "d_logits is p / N",
        "subtract 1 at the label",
        _back(_not_subtracted),
    ),
    Defect(
        "averaged over classes too",
        BACKWARD,
        "all gradients are K times too small",
        "divide by N, the batch, not by the number of elements",
        _back(lambda d, p, labels: d / d.dtype.type(d.shape[1])),
    ),
    Defect(
        "divided by the batch twice",
        BACKWARD,
        "right for a batch of one; else all gradients are N times too small",
        "divide by N once",
        _back(lambda d, p, labels: d / d.dtype.type(len(d))),
    ),
    Defect(
        "gradient of a loss in bits",
        BACKWARD,
        "all gradients are 1.4427 times too large",
        "p - y belongs to the natural logarithm",
        _back(lambda d, p, labels: d / d.dtype.type(np.log(2))),
    ),
)
