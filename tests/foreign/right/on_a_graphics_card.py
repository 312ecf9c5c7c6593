# says: remark: No module named 'cupy': NumPy stands for it
# says: conv backward agrees
import cupy as cp


class Convolution:
    """Stride and padding come with each call; the windows are taken out channel by channel."""

    def __init__(self, filter_h, filter_w, filters, depth_wise, sgd_momentum=0.9):
        self.filter_h, self.filter_w, self.filters, self.depth_wise = filter_h, filter_w, filters, depth_wise
        self.sgd_momentum, self.kernel, self.velocity = sgd_momentum, None, 0.0

    def forward(self, x, stride, padding):
        if self.kernel is None:
            self.kernel = cp.random.randn(self.filter_h, self.filter_w, x.shape[3], self.filters)
        self.padding, self.shape = padding, x.shape
        x = cp.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
        windows = cp.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(1, 2))  # (N, H', W', C, 3, 3)
        self.columns = windows.reshape(-1, 9 * x.shape[3])
        return (self.columns @ self.kernel.reshape(-1, self.filters)).reshape(*windows.shape[:3], self.filters)

    def backwards(self, dy, learning_rate, alpha=1e-5):
        n, h, w, f = dy.shape
        flat = dy.reshape(-1, f)
        dW = (self.columns.T @ flat).reshape(self.kernel.shape)
        windows = (flat @ self.kernel.reshape(-1, f).T).reshape(n, h, w, self.shape[3], 3, 3)
        p = self.padding
        dx = cp.zeros((n, self.shape[1] + 2 * p, self.shape[2] + 2 * p, self.shape[3]))
        for i in range(3):
            for j in range(3):
                dx[:, i : i + h, j : j + w] += windows[..., i, j]
        self.velocity = self.sgd_momentum * self.velocity - learning_rate * dW
        self.kernel += self.velocity
        cp.get_default_memory_pool().free_all_blocks()
        return dx[:, p : p + self.shape[1], p : p + self.shape[2]]
