"""The network by its definition, loop by loop: the arbiter of the arbiter, for small cases only.

Every sum goes through `math.fsum`, which rounds once however long the sum is, so that what remains is the rounding of
single products and functions. Shares no code with `numpy_cnn`. The same names as in `arbiter.py`.
"""

import itertools
import math

import numpy as np


def _border(padding):
    return 1 if padding == "same" else 0


def conv(x, w, padding):
    """y[n,p,q,f] = sum over i,j,c of x[n,p+i-b,q+j-b,c] * w[i,j,c,f], b the border of zeros: (N, H', W', F)."""
    n, h, width, channels = x.shape
    b = _border(padding)
    y = np.zeros((n, h - 2 + 2 * b, width - 2 + 2 * b, w.shape[3]))
    for example, p, q, f in np.ndindex(y.shape):
        terms = []
        for i, j, c in itertools.product(range(3), range(3), range(channels)):
            row, column = p + i - b, q + j - b
            if 0 <= row < h and 0 <= column < width:
                terms.append(x[example, row, column, c] * w[i, j, c, f])
        y[example, p, q, f] = math.fsum(terms)
    return y


def conv_backward(x, w, dy, padding, need_dx=True):
    """(dx, dw) of `conv`, both in any case: every product of the forward sum hands its dy to both of its factors."""
    n, h, width, channels = x.shape
    b = _border(padding)
    dx_terms: dict[tuple, list[float]] = {}
    dw_terms: dict[tuple, list[float]] = {}
    for example, p, q, f in np.ndindex(dy.shape):
        d = dy[example, p, q, f]
        for i, j, c in itertools.product(range(3), range(3), range(channels)):
            row, column = p + i - b, q + j - b
            if 0 <= row < h and 0 <= column < width:
                dx_terms.setdefault((example, row, column, c), []).append(d * w[i, j, c, f])
                dw_terms.setdefault((i, j, c, f), []).append(d * x[example, row, column, c])
    dx, dw = np.zeros(x.shape), np.zeros(w.shape)
    for terms, gradient in ((dx_terms, dx), (dw_terms, dw)):
        for index, values in terms.items():
            gradient[index] = math.fsum(values)
    return dx, dw


def pool(x):
    """Maximum of each 2x2 window: (N, H // 2, W // 2, F)."""
    n, h, w, f = x.shape
    y = np.zeros((n, h // 2, w // 2, f))
    for example, p, q, k in np.ndindex(y.shape):
        y[example, p, q, k] = max(x[example, 2 * p + i, 2 * q + j, k] for i in (0, 1) for j in (0, 1))
    return y


def pool_backward(x, dy):
    """dy of each window goes to its first maximum in row order."""
    dx = np.zeros(x.shape)
    for example, p, q, k in np.ndindex(dy.shape):
        corners = [(2 * p + i, 2 * q + j) for i in (0, 1) for j in (0, 1)]
        row, column = max(corners, key=lambda at: x[example, at[0], at[1], k])  # max keeps the first of equals
        dx[example, row, column, k] = dy[example, p, q, k]
    return dx


def dense(x, w, bias):
    """logits[n,k] = sum over j of x[n,j] * w[j,k] + bias[k], x flattened row-major: (N, K)."""
    flat = [list(example.ravel()) for example in x]
    return np.array(
        [
            [math.fsum([*(a * b for a, b in zip(row, w[:, k], strict=True)), bias[k]]) for k in range(len(bias))]
            for row in flat
        ]
    )


def dense_backward(x, w, d):
    """(dx, dw, dbias) of `dense`."""
    flat = x.reshape(len(x), -1)
    dx, dw = np.zeros(flat.shape), np.zeros(w.shape)
    for n, j in np.ndindex(flat.shape):
        dx[n, j] = math.fsum(d[n, k] * w[j, k] for k in range(w.shape[1]))
    for j, k in np.ndindex(w.shape):
        dw[j, k] = math.fsum(flat[n, j] * d[n, k] for n in range(len(flat)))
    return dx.reshape(x.shape), dw, np.array([math.fsum(d[:, k]) for k in range(w.shape[1])])


def probabilities(logits):
    """exp(z_k) / sum of exp(z), each row shifted by its own maximum: (N, K)."""
    rows = []
    for row in logits:
        e = [math.exp(z - max(row)) for z in row]
        rows.append([value / math.fsum(e) for value in e])
    return np.array(rows)


def loss(logits, labels):
    """Mean over the batch of ln(sum of exp(z)) - z of the right class, in nats."""
    each = []
    for row, label in zip(logits, labels, strict=True):
        top = max(row)
        each.append(math.log(math.fsum(math.exp(z - top) for z in row)) - (row[label] - top))
    return np.float64(math.fsum(each) / len(each))


def loss_backward(logits, labels):
    """(probability - 1 for the right class, else probability) / N: (N, K)."""
    d = probabilities(logits)
    for n, label in enumerate(labels):
        d[n, label] -= 1.0
    return d / len(labels)
