"""3x3 convolution: forward beside backward."""

import numpy as np

from numpy_cnn.checks import check_padding, check_positive, float_dtype, generator


def windows(x):
    """Every 3x3 neighbourhood of x: (N, H, W, C) -> (N, H-2, W-2, 3, 3, C), a read-only view."""
    return np.moveaxis(np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(1, 2)), 3, -1)


def pad(x, width):
    """Zeros of `width` around rows and columns: (N, H, W, C) -> (N, H+2*width, W+2*width, C)."""
    return np.pad(x, ((0, 0), (width, width), (width, width), (0, 0)))


class Conv3x3:
    """Cross-correlation with 3x3 filters, stride 1, no bias.

        y[n,p,q,f] = sum over i,j,c of x[n,p+i,q+j,c] * weight[i,j,c,f]

    Cross-correlation (no flip of the kernel) is what PyTorch, TensorFlow and ONNX call convolution
    (https://onnx.ai/onnx/operators/onnx__Conv.html).

    Args:
        filters: F, 1 or more.
        channels: C, 1 or more.
        padding: "valid" (output H-2, W-2) or "same" (a border of one zero; output H, W).
        dtype: float32 or float64, of the weights and so of all results.
        seed: of the start weights, standard normal divided by 9.

    Attributes:
        weight: (3, 3, C, F).
        d_weight: (3, 3, C, F), gradient of the last `backward`; None before.

    Raises:
        ValueError: filters or channels below 1, an unknown padding or dtype.
    """

    def __init__(self, filters, channels=1, padding="valid", dtype=np.float32, seed=0):
        shape = (3, 3, check_positive("channels", channels), check_positive("filters", filters))
        self.padding = check_padding(padding)
        self.weight = (generator(seed).standard_normal(shape) / 9).astype(float_dtype(dtype))
        self.d_weight = None
        self._x = None

    def forward(self, x):
        """Convolve.

        Args:
            x: (N, H, W, C), H and W at least 3; cast to the dtype of the weights.
        Returns:
            y: (N, H-2, W-2, F) for "valid", (N, H, W, F) for "same".
        Raises:
            ValueError: x has another number of axes or channels, or H or W below 3.
        """
        x = np.asarray(x, self.weight.dtype)
        channels = self.weight.shape[2]
        if x.ndim != 4 or min(x.shape[1:3]) < 3 or x.shape[3] != channels:
            raise ValueError(f"Conv3x3: x has shape {x.shape}, wanted (N, H, W, {channels}) with H, W >= 3")
        self._x = pad(x, 1) if self.padding == "same" else x
        return np.tensordot(windows(self._x), self.weight, axes=3)

    def backward(self, dy, need_dx=True):
        """Gradients of the loss, given `dy`, that with respect to the last output.

            d_weight[i,j,c,f] = sum over n,p,q of x[n,p+i,q+j,c] * dy[n,p,q,f]
            dx[n,h,w,c]       = sum over i,j,f of dy[n,h-i,w-j,f] * weight[i,j,c,f]

        Each pixel of x feeds every output whose window covers it, hence the second sum: a convolution of the
        zero-padded dy with the filters turned by 180 degrees.

        Args:
            dy: shape of the last output.
            need_dx: False leaves dx out (the first layer of a network being trained).
        Returns:
            dx: shape of the last x, or None. `d_weight` is stored on the layer.
        Raises:
            RuntimeError: nothing went forward yet.
            ValueError: dy has another shape than the output.
        """
        if self._x is None:
            raise RuntimeError("Conv3x3: backward before any forward")
        n, rows, columns, _ = self._x.shape
        dy = np.asarray(dy, self.weight.dtype)
        wanted = (n, rows - 2, columns - 2, self.weight.shape[3])
        if dy.shape != wanted:
            raise ValueError(f"Conv3x3: dy has shape {dy.shape}, wanted {wanted}")
        self.d_weight = np.tensordot(windows(self._x), dy, axes=((0, 1, 2), (0, 1, 2)))
        if not need_dx:
            return None
        turned = self.weight[::-1, ::-1].swapaxes(2, 3)
        border = 1 if self.padding == "same" else 2
        return np.tensordot(windows(pad(dy, border)), turned, axes=3)
