# status: unconnected
# says: ValueError at train_step_raises.py:42
"""A classifier in the manner of scikit-learn: fit, predict_proba, and one step of it."""
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


class CNNClassifier:
    def __init__(self, n_filters=8, n_classes=10, random_state=None):
        gen = np.random.default_rng(random_state)
        self.kernels_ = gen.normal(size=(n_filters, 3, 3)) / 9
        self.coef_ = gen.normal(size=(13 * 13 * n_filters, n_classes)) / 1352
        self.intercept_ = np.zeros(n_classes)

    def _hidden(self, X):
        patches = sliding_window_view(X, (3, 3), axis=(1, 2))
        maps = np.tensordot(patches, self.kernels_, axes=([3, 4], [1, 2]))
        n, h, w, f = maps.shape
        quads = maps.reshape(n, h // 2, 2, w // 2, 2, f).transpose(0, 1, 3, 5, 2, 4).reshape(n, h // 2, w // 2, f, 4)
        return patches, quads, quads.max(axis=-1).reshape(n, -1)

    def predict_proba(self, X):
        z = self._hidden(X)[2] @ self.coef_ + self.intercept_
        z -= z.max(axis=1, keepdims=True)
        np.exp(z, out=z)
        z /= z.sum(axis=1, keepdims=True)
        return z

    def train_step(self, X, y, lr=0.1):
        patches, quads, flat = self._hidden(X)
        err = self.predict_proba(X)
        loss = -np.mean(np.log(err[np.arange(len(y)), y]))
        err[np.arange(len(y)), y] -= 1
        err /= len(y)
        back = (err @ self.coef_.T).reshape(quads.shape[:-1])
        routed = np.zeros_like(quads)
        np.put_along_axis(routed, quads.argmax(axis=-1)[..., None], back[..., None], axis=-1)
        n, p, q, f, _ = routed.shape
        routed = routed.reshape(n, p, q, f, 2, 2).transpose(0, 1, 4, 2, 5, 3).reshape(n, 2 * p, 2 * q, f)
        grad_kernels = np.tensordot(routed, patches, axes=([0, 1, 2], [0, 1, 2]))
        self.coef_ -= lr * flat.T @ err
        self.intercept_ -= lr * err.sum(axis=1)
        self.kernels_ -= lr * grad_kernels
        return loss

    def fit(self, X, y, epochs=3, batch_size=32, lr=0.1):
        for _ in range(epochs):
            order = np.random.permutation(len(X))
            for start in range(0, len(X), batch_size):
                rows = order[start:start + batch_size]
                self.train_step(X[rows], y[rows], lr)
        return self
