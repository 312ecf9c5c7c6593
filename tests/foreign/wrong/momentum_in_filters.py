# stage: conv backward
# names: none
import numpy as np


class SimpleCNN:
    def __init__(self, num_filters=8, num_classes=10):
        self.kernels = np.random.randn(num_filters, 3, 3) / 9
        self.weights = np.random.randn(13 * 13 * num_filters, num_classes) / 1000
        self.bias = np.zeros(num_classes)

    def forward(self, images):
        self.view = np.lib.stride_tricks.sliding_window_view(images, (3, 3), axis=(1, 2))
        self.a = np.einsum("nhwij,fij->nhwf", self.view, self.kernels)
        n, h, w, f = self.a.shape
        parts = self.a.reshape(n, h // 2, 2, w // 2, 2, f).transpose(0, 1, 3, 5, 2, 4)
        self.parts = parts.reshape(n, h // 2, w // 2, f, 4)
        self.flat = self.parts.max(axis=-1).reshape(n, -1)
        z = self.flat @ self.weights + self.bias
        e = np.exp(z - z.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    def train_step(self, images, labels, lr):
        d = self.forward(images)
        d[np.arange(len(labels)), labels] -= 1
        d /= len(labels)
        back = (d @ self.weights.T).reshape(self.parts.shape[:-1])
        first = np.eye(4)[self.parts.argmax(axis=-1)] * back[..., None]
        n, p, q, f, _ = first.shape
        d_a = first.reshape(n, p, q, f, 2, 2).transpose(0, 1, 4, 2, 5, 3).reshape(self.a.shape)
        self.weights -= lr * self.flat.T @ d
        self.bias -= lr * d.sum(axis=0)
        self.v = 0.9 * getattr(self, 'v', 0) + np.einsum("nhwij,nhwf->fij", self.view, d_a)
        self.kernels -= lr * self.v
