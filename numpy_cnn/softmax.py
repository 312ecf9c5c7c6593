"""Dense layer, softmax and cross-entropy: forward beside backward."""

import numpy as np

from numpy_cnn.checks import check_positive, float_dtype, generator


def log_softmax(logits):
    """ln of the softmax, row by row: (N, K) -> (N, K).

    ln softmax(z) = (z - m) - ln(sum of exp(z - m)), with m the maximum of its own row. The shift changes nothing in
    exact arithmetic and keeps exp from overflowing; one shift for the whole batch would let a row of small logits
    underflow to 0/0 beside a row of large ones (Blanchard, Higham & Higham, "Accurately computing the log-sum-exp and
    softmax functions", IMA J. Numer. Anal. 2021).
    """
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def softmax(logits):
    """exp(z) / sum of exp(z), row by row: (N, K) -> (N, K), each row sums to 1. Safe for logits of any finite size."""
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def cross_entropy(logits, labels):
    """Mean over the batch of -ln(probability of the right class), in nats.

    Args:
        logits: (N, K) float.
        labels: (N,) int, 0 .. K-1.
    Returns:
        loss: a scalar, dtype of logits.
    """
    return -log_softmax(logits)[np.arange(len(labels)), labels].mean()


def cross_entropy_backward(logits, labels):
    """Gradient of `cross_entropy`: d_logits = (softmax(logits) - onehot(labels)) / N.

    Args and dtypes as for `cross_entropy`.
    Returns:
        d_logits: (N, K).
    """
    d_logits = softmax(logits)
    d_logits[np.arange(len(labels)), labels] -= 1
    return d_logits / d_logits.dtype.type(len(labels))


class Softmax:
    """Flatten, dense layer, softmax: logits[n,k] = sum over j of x[n,j] * weight[j,k] + bias[k].

    Args:
        inputs: P*Q*F, the number of values an example brings, 1 or more.
        classes: K, 1 or more.
        dtype: float32 or float64, of the weights and so of all results.
        seed: of the start weights, standard normal divided by `inputs`; the bias starts at 0.

    Attributes:
        weight: (inputs, K), rows in (P, Q, F) order.
        bias: (K,).
        d_weight, d_bias: gradients of the last `backward`; None before.

    Raises:
        ValueError: inputs or classes below 1, an unknown dtype.
    """

    def __init__(self, inputs, classes=10, dtype=np.float32, seed=0):
        shape = (check_positive("inputs", inputs), check_positive("classes", classes))
        self.weight = (generator(seed).standard_normal(shape) / inputs).astype(float_dtype(dtype))
        self.bias = np.zeros(classes, self.weight.dtype)
        self.d_weight = None
        self.d_bias = None
        self._x = None
        self._shape = None

    def logits(self, x):
        """The dense layer alone.

        Args:
            x: (N, ...) with `inputs` values an example, flattened row-major; cast to the dtype of the weights.
        Returns:
            logits: (N, K).
        Raises:
            ValueError: another number of values an example.
        """
        x = np.asarray(x, self.weight.dtype)
        if x.ndim < 2 or x[0:1].size not in (0, self.weight.shape[0]) or x.size != len(x) * self.weight.shape[0]:
            raise ValueError(f"Softmax: x has shape {x.shape}, wanted (N, ...) with {self.weight.shape[0]} values each")
        self._shape = x.shape
        self._x = x.reshape(len(x), -1)
        return self._x @ self.weight + self.bias

    def forward(self, x):
        """Probabilities (N, K) of an input as for `logits`."""
        return softmax(self.logits(x))

    def backward(self, d_logits):
        """Gradients of the loss, given that with respect to the last logits.

            d_weight = x^T d_logits     d_bias = sum over n of d_logits     dx = d_logits weight^T

        Args:
            d_logits: (N, K).
        Returns:
            dx: shape of the last x. `d_weight` and `d_bias` are stored on the layer.
        Raises:
            RuntimeError: nothing went forward yet.
            ValueError: d_logits has another shape than the logits.
        """
        if self._x is None:
            raise RuntimeError("Softmax: backward before any forward")
        d_logits = np.asarray(d_logits, self.weight.dtype)
        wanted = (len(self._x), self.weight.shape[1])
        if d_logits.shape != wanted:
            raise ValueError(f"Softmax: d_logits has shape {d_logits.shape}, wanted {wanted}")
        self.d_weight = self._x.T @ d_logits
        self.d_bias = d_logits.sum(axis=0)
        return (d_logits @ self.weight.T).reshape(self._shape)
