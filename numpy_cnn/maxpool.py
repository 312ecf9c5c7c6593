"""2x2 maximum pooling: forward beside backward."""

from typing import Any

import numpy as np


class MaxPool2:
    """Maximum over non-overlapping 2x2 windows; an odd last row or column is dropped.

        y[n,p,q,f] = max over i,j in {0,1} of x[n,2p+i,2q+j,f]

    Ties: the first maximum in row order takes the gradient, as in PyTorch, TensorFlow and JAX. A maximum has no
    derivative where two inputs tie; giving the gradient to both would double the sum that reaches the filters.
    """

    def __init__(self):
        self._shape: Any = None
        self._winner: Any = None

    def forward(self, x):
        """Pool.

        Args:
            x: (N, H, W, F), H and W at least 2.
        Returns:
            y: (N, H // 2, W // 2, F), dtype of x. NaN in a window gives NaN.
        Raises:
            ValueError: another number of axes, or H or W below 2.
        """
        x = np.asarray(x)
        if x.ndim != 4 or min(x.shape[1:3]) < 2:
            raise ValueError(f"MaxPool2: x has shape {x.shape}, wanted (N, H, W, F) with H, W >= 2")
        n, h, w, f = self._shape = x.shape
        p, q = h // 2, w // 2
        # (N, P, 2, Q, 2, F) -> (N, P, Q, F, 4): the last axis lists a window in row order
        corners = x[:, : 2 * p, : 2 * q].reshape(n, p, 2, q, 2, f).transpose(0, 1, 3, 5, 2, 4).reshape(n, p, q, f, 4)
        self._winner = corners.argmax(axis=-1)[..., None]
        return np.take_along_axis(corners, self._winner, axis=-1)[..., 0]

    def backward(self, dy):
        """Send the gradient of each window to its (first) maximum.

        Args:
            dy: (N, H // 2, W // 2, F), gradient with respect to the last output.
        Returns:
            dx: (N, H, W, F), dtype of dy; zero where x was not a maximum, and in a dropped row or column.
        Raises:
            RuntimeError: nothing went forward yet.
            ValueError: dy has another shape than the output.
        """
        if self._shape is None:
            raise RuntimeError("MaxPool2: backward before any forward")
        dy = np.asarray(dy)
        n, h, w, f = self._shape
        p, q = h // 2, w // 2
        if dy.shape != (n, p, q, f):
            raise ValueError(f"MaxPool2: dy has shape {dy.shape}, wanted {(n, p, q, f)}")
        corners = np.zeros((n, p, q, f, 4), dy.dtype)
        np.put_along_axis(corners, self._winner, dy[..., None], axis=-1)
        dx = np.zeros((n, h, w, f), dy.dtype)
        dx[:, : 2 * p, : 2 * q] = (
            corners.reshape(n, p, q, f, 2, 2).transpose(0, 1, 4, 2, 5, 3).reshape(n, 2 * p, 2 * q, f)
        )
        return dx
