import numpy as np


class Convolution:
    """Batch first, channels second; made ready by the first image; backward keeps gradients and makes the step."""

    def __init__(self, maps):
        self.maps, self.weights = maps, None

    def forward(self, x):
        if self.weights is None:
            self.weights = np.random.randn(self.maps, x.shape[1], 3, 3) / 9
        self.windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(2, 3))
        self.x = x
        return np.einsum("nchwij,fcij->nfhw", self.windows, self.weights)

    def backward(self, upstream, lr):
        self.d_weights = np.einsum("nchwij,nfhw->fcij", self.windows, upstream) / len(upstream)
        padded = np.pad(upstream, ((0, 0), (0, 0), (2, 2), (2, 2)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
        dx = np.einsum("nfhwij,fcij->nchw", windows, self.weights[:, :, ::-1, ::-1])
        self.weights = self.weights - lr * self.d_weights
        return dx


class MaxPooling:
    def forward(self, x):
        n, c, h, w = x.shape
        self.shape = x.shape
        cut = x[:, :, : h // 2 * 2, : w // 2 * 2].reshape(n, c, h // 2, 2, w // 2, 2)
        self.places = cut.transpose(0, 1, 2, 4, 3, 5).reshape(n, c, h // 2, w // 2, 4).argmax(-1)
        return cut.max(axis=(3, 5))

    def backward(self, upstream):
        dx = np.zeros(self.shape)
        n, c, h, w = np.indices(upstream.shape)
        dx[n, c, 2 * h + self.places // 2, 2 * w + self.places % 2] = upstream
        return dx


class FullyConnected:
    """Features down, images across."""

    def __init__(self, outputs):
        self.outputs, self.params = outputs, {"W": None, "b": None}

    def forward(self, x):
        if self.params["W"] is None:
            self.params["W"] = np.random.randn(self.outputs, x.shape[0]) * 0.1
            self.params["b"] = np.zeros((self.outputs, 1))
        self.x = x
        return self.params["W"] @ x + self.params["b"]

    def backward(self, dz, lr):
        count = self.x.shape[1]
        self.grads = {"dW": dz @ self.x.T / count, "db": dz.sum(axis=1, keepdims=True) / count}
        dx = self.params["W"].T @ dz
        self.update(lr)
        return dx

    def update(self, lr):
        self.params["W"] = self.params["W"] - lr * self.grads["dW"]
        self.params["b"] = self.params["b"] - lr * self.grads["db"]


class SoftMax:
    def forward(self, z):
        e = np.exp(z - z.max(axis=0))
        return e / e.sum(axis=0)
