# stage: dense backward
# names: ascent instead of descent | y - p
import numpy as np


class SimpleCNN:
    """Fixed to 28 x 28 digits; the step goes uphill."""

    def __init__(self, num_filters=8, num_classes=10):
        self.W1 = np.random.randn(num_filters, 3, 3) / 9
        self.W2 = np.random.randn(num_classes, 13 * 13 * num_filters) / 1352
        self.b2 = np.zeros(num_classes)

    def predict(self, X):
        self.view = np.lib.stride_tricks.sliding_window_view(X, (3, 3), axis=(1, 2))
        self.maps = np.einsum("nhwij,fij->nhwf", self.view, self.W1)
        n, h, w, f = self.maps.shape
        self.quads = self.maps.reshape(n, h // 2, 2, w // 2, 2, f).transpose(0, 1, 3, 5, 2, 4).reshape(n, h // 2, w // 2, f, 4)
        self.hidden = self.quads.max(-1).reshape(n, -1)
        scores = self.hidden @ self.W2.T + self.b2
        e = np.exp(scores - scores.max(1, keepdims=True))
        return e / e.sum(1, keepdims=True)

    def train_step(self, X, y, lr):
        probs = self.predict(X)
        loss = -np.log(probs[np.arange(len(y)), y]).mean()
        delta = np.eye(len(self.b2))[y] - probs          # y - p, and then minus again
        delta /= len(y)
        back = (delta @ self.W2).reshape(self.quads.shape[:-1])
        grad = np.eye(4)[self.quads.argmax(-1)] * back[..., None]
        n, p, q, f, _ = grad.shape
        grad = grad.reshape(n, p, q, f, 2, 2).transpose(0, 1, 4, 2, 5, 3).reshape(self.maps.shape)
        self.W1 -= lr * np.einsum("nhwij,nhwf->fij", self.view, grad)
        self.W2 -= lr * delta.T @ self.hidden
        self.b2 -= lr * delta.sum(0)
        return loss
