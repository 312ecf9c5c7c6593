"""The way back of a softmax by itself, for the upstream gradients that a cross-entropy gives."""

import numpy as np


def one_of_each(p):
    """1 for one class of each image, else 0: a way back may be for the gradient of a cross-entropy alone.

    Args:
        p: what the softmax gave: (N, K), (K, N) or (K,).
    """
    one, rows = np.zeros(p.shape), p.ndim == 2 and p.shape[1] > 1 and np.allclose(p.sum(axis=1), 1)
    one[(slice(None), 0) if rows else 0] = 1
    return one


def joined(gradient, p, dy):
    """Whether a way back is that of the loss as well: it hands on what it is given, or gives p - y."""
    known = (one * each / n for one in (1, -1) for each in (dy, p - dy) for n in (1, len(p)))
    return gradient.shape == p.shape and any(np.allclose(gradient, each, rtol=1e-5, atol=1e-9) for each in known)


def mistake(gradient, p, dy):
    """The known mistake that a gradient shows, or ""."""
    if gradient.shape == p.shape and np.allclose(gradient, dy * p * (1 - p), rtol=1e-5, atol=1e-9):
        return ": only the diagonal of the softmax's derivative"
    return ""
