"""The network by its definition, loop by loop, one image at a time: slow, and plainly right.

    image (28, 28) -> Conv3x3(8) -> (26, 26, 8) -> MaxPool2() -> (13, 13, 8) -> Softmax(13 * 13 * 8) -> 10 probabilities

A layer remembers what its last `forward` took in. Its `backward` goes the way back: given the gradient of the loss with
respect to its output it returns that with respect to its input, and keeps that of its weights. The loops run over
places in the image; the small sums at one place are left to NumPy. `conv.py`, `maxpool.py` and `softmax.py` say the
same without loops and share no code with this file.

All methods raise ValueError for an array of another shape than they say; `backward` before `forward` is a RuntimeError.
"""

import numpy as np

from numpy_cnn import checks


class Conv3x3:
    """Slide F filters of 3x3 over an image: an output is the sum of a region times a filter. No bias, stride 1.

    Args:
        filters, channels: F and C, 1 or more.
        padding: "valid" (output H-2, W-2) or "same" (a border of one zero around the image; output H, W).
        dtype: float32 or float64, of the weights and so of all results.
        seed: of the start weights, standard normal divided by 9 so that a sum of nine products stays small.

    Attributes:
        weight, d_weight: (3, 3, C, F), and its gradient by the last `backward`.
    """

    def __init__(self, filters, channels=1, padding="valid", dtype=np.float32, seed=0):
        shape = (3, 3, checks.check_positive("channels", channels), checks.check_positive("filters", filters))
        self.padding = checks.check_padding(padding)
        self.weight = (checks.generator(seed).standard_normal(shape) / 9).astype(checks.float_dtype(dtype))
        self.d_weight = self._image = self._y_shape = None

    def iterate_regions(self, image):
        """Every 3x3 region of an image (H, W) or (H, W, C), with the row and column of the output that it makes."""
        if self.padding == "same":
            image = np.pad(image, [(1, 1), (1, 1), (0, 0)][: image.ndim])
        for row in range(image.shape[0] - 2):
            for column in range(image.shape[1] - 2):
                yield image[row : row + 3, column : column + 3], row, column

    def forward(self, image):
        """Convolve: y[p,q,f] = sum over i,j,c of image[p+i,q+j,c] * weight[i,j,c,f].

        An image is (H, W, C), or (H, W) where C is 1, with H and W at least 3; it is cast to the dtype of the weights.
        Returns y (H-2, W-2, F) for "valid", (H, W, F) for "same".
        """
        image = np.asarray(image, self.weight.dtype)
        channels, filters = self.weight.shape[2:]
        if image.ndim not in (2, 3) or (*image.shape, 1)[2] != channels or min(image.shape[:2]) < 3:
            raise ValueError(f"Conv3x3: image has shape {image.shape}, wanted (H, W, {channels}) with H, W >= 3")
        self._image = image
        border = 0 if self.padding == "same" else 2
        self._y_shape = (image.shape[0] - border, image.shape[1] - border, filters)
        y = np.zeros(self._y_shape, image.dtype)
        for region, row, column in self.iterate_regions(image):
            y[row, column] = (region.reshape(3, 3, channels, 1) * self.weight).sum(axis=(0, 1, 2))
        return y

    def backward(self, dy, need_dx=True):
        """Each product of `forward`, region * weight, hands the dy of its sum to both factors, times the other one.

        Returns dx, shaped as the image; None without `need_dx`, since a first layer in training has no use for it.
        """
        if self._image is None:
            raise RuntimeError("Conv3x3: backward before any forward")
        dy = _shaped("Conv3x3: dy", dy, self._y_shape, self.weight.dtype)
        channels = self.weight.shape[2]
        self.d_weight = np.zeros_like(self.weight)
        dx = np.zeros((dy.shape[0] + 2, dy.shape[1] + 2, channels), dy.dtype)
        for region, row, column in self.iterate_regions(self._image):
            self.d_weight += region.reshape(3, 3, channels, 1) * dy[row, column]
            if need_dx:
                dx[row : row + 3, column : column + 3] += (self.weight * dy[row, column]).sum(axis=3)
        if self.padding == "same":
            dx = dx[1:-1, 1:-1]  # the border of zeros is no part of the image
        return dx.reshape(self._image.shape) if need_dx else None


class MaxPool2:
    """Keep the largest of each 2x2 region, filter by filter; an odd last row or column is dropped."""

    def __init__(self):
        self._x = self._y_shape = None

    def iterate_regions(self, x):
        """Every 2x2 region of x (H, W, F), none overlapping another, with the row and column of its output."""
        for row in range(x.shape[0] // 2):
            for column in range(x.shape[1] // 2):
                yield x[2 * row : 2 * row + 2, 2 * column : 2 * column + 2], row, column

    def forward(self, x):
        """(H, W, F), H and W at least 2, to (H // 2, W // 2, F): y[p,q,f] = max over i,j in {0,1} of x[2p+i,2q+j,f]."""
        x = np.asarray(x)
        if x.ndim != 3 or min(x.shape[:2]) < 2:
            raise ValueError(f"MaxPool2: x has shape {x.shape}, wanted (H, W, F) with H, W >= 2")
        self._x, self._y_shape = x, (x.shape[0] // 2, x.shape[1] // 2, x.shape[2])
        y = np.zeros(self._y_shape, x.dtype)
        for region, row, column in self.iterate_regions(x):
            y[row, column] = region.max(axis=(0, 1))
        return y

    def backward(self, dy):
        """Only the maximum had a part in the output, so it alone takes the gradient; of equals the first in row order.

        Returns dx (H, W, F), dtype of dy; zero wherever x was not the maximum of its region.
        """
        if self._x is None:
            raise RuntimeError("MaxPool2: backward before any forward")
        dy = _shaped("MaxPool2: dy", dy, self._y_shape)
        dx = np.zeros(self._x.shape, dy.dtype)
        for region, row, column in self.iterate_regions(self._x):
            for f in range(dy.shape[2]):
                i, j = divmod(int(region[:, :, f].argmax()), 2)  # argmax finds the first of equals
                dx[2 * row + i, 2 * column + j, f] = dy[row, column, f]
        return dx


def softmax(logits):
    """(K,) to probabilities (K,): exp(z) / sum of exp(z); with the maximum taken off first exp cannot overflow."""
    e = np.exp(logits - logits.max())
    return e / e.sum()


def cross_entropy(logits, label):
    """-ln of the probability of the right class, in nats, as ln(sum of exp(z)) - z[label]: never the logarithm of 0."""
    shifted = logits - logits.max()
    return np.log(np.exp(shifted).sum()) - shifted[label]


def cross_entropy_backward(logits, label):
    """d_logits (K,) of `cross_entropy`: the probabilities, less 1 for the right class."""
    d_logits = softmax(logits)
    d_logits[label] -= 1
    return d_logits


class Softmax:
    """A dense layer and softmax: each class weighs every input, and the weighted sums become probabilities.

    Args:
        inputs, classes: P*Q*F values that come in, and K.
        dtype, seed: as of `Conv3x3`; start weights are standard normal divided by `inputs`, the bias starts at 0.

    Attributes:
        weight, bias: (inputs, K), rows in (P, Q, F) order, and (K,).
        d_weight, d_bias: their gradients by the last `backward`.
    """

    def __init__(self, inputs, classes=10, dtype=np.float32, seed=0):
        shape = (checks.check_positive("inputs", inputs), checks.check_positive("classes", classes))
        self.weight = (checks.generator(seed).standard_normal(shape) / inputs).astype(checks.float_dtype(dtype))
        self.bias = np.zeros(classes, self.weight.dtype)
        self.d_weight = self.d_bias = self._x = None

    def forward(self, x):
        """Probabilities (K,) of an input as for `logits`."""
        return softmax(self.logits(x))

    def logits(self, x):
        """(K,) sums of `inputs` values of any shape: logits[k] = sum over j of x[j] * weight[j,k] + bias[k]."""
        x = np.asarray(x, self.weight.dtype)
        if x.size != len(self.weight):
            raise ValueError(f"Softmax: x has shape {x.shape}, wanted {len(self.weight)} values")
        self._x = x
        logits = np.zeros_like(self.bias)
        for k in range(len(logits)):
            logits[k] = (x.ravel() * self.weight[:, k]).sum() + self.bias[k]
        return logits

    def backward_from_label(self, label):
        """`backward` of the cross-entropy loss of the last input, whose right class is `label`, 0 .. K-1."""
        if self._x is None:
            raise RuntimeError("Softmax: backward before any forward")
        return self.backward(cross_entropy_backward(self.logits(self._x), label))

    def backward(self, d_logits):
        """Each product of `logits`, x * weight, hands the d_logits of its sum to both factors, times the other one.

        Returns dx, shaped as x.
        """
        if self._x is None:
            raise RuntimeError("Softmax: backward before any forward")
        d_logits = _shaped("Softmax: d_logits", d_logits, self.bias.shape, self.weight.dtype)
        x = self._x.ravel()
        dx, self.d_weight, self.d_bias = np.zeros_like(x), np.zeros_like(self.weight), d_logits.copy()
        for k in range(len(d_logits)):
            self.d_weight[:, k] = x * d_logits[k]
            dx += self.weight[:, k] * d_logits[k]
        return dx.reshape(self._x.shape)


def _shaped(name, value, shape, dtype=None):
    value = np.asarray(value, dtype)
    if value.shape != shape:
        raise ValueError(f"{name} has shape {value.shape}, wanted {shape}")
    return value
