import numpy as np


class ConvLayer:
    """The division by the batch size is done here, at the weights, and not in the loss."""

    def __init__(self, num_channels, num_filters):
        self.filters = np.random.randn(num_filters, num_channels, 3, 3) / 9

    def forward(self, batch):
        self.batch = batch
        v = np.lib.stride_tricks.sliding_window_view(batch, (3, 3), axis=(2, 3))
        return np.einsum("bcyxij,fcij->bfyx", v, self.filters)

    def backward(self, d_out):
        m = d_out.shape[0]
        v = np.lib.stride_tricks.sliding_window_view(self.batch, (3, 3), axis=(2, 3))
        self.d_filters = np.einsum("bcyxij,bfyx->fcij", v, d_out) / m
        d_batch = np.zeros_like(self.batch)
        y, x = d_out.shape[2:]
        for i in range(3):
            for j in range(3):
                d_batch[:, :, i:i + y, j:j + x] += np.einsum("bfyx,fc->bcyx", d_out, self.filters[:, :, i, j])
        return d_batch
