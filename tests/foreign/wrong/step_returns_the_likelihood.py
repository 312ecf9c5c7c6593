# stage: training step
# names: none
# says: CNN.train_step: the loss that it returns is -1 times the cross-entropy of its output
import numpy as np


class CNN:
    """This network, and a train_step beside a backward that returns gradients."""

    def __init__(self, num_filters=8, num_classes=10, lr=0.01):
        self.params = {
            "W1": np.random.randn(num_filters, 1, 3, 3) * 0.1,
            "W2": np.random.randn(num_filters * 13 * 13, num_classes) * 0.01,
            "b2": np.zeros(num_classes),
        }
        self.lr = lr

    def forward(self, X):
        self.view = np.lib.stride_tricks.sliding_window_view(X, (3, 3), axis=(2, 3))
        self.conv = np.einsum("nchwij,fcij->nfhw", self.view, self.params["W1"])
        n, f, h, w = self.conv.shape
        blocks = self.conv.reshape(n, f, h // 2, 2, w // 2, 2).transpose(0, 1, 2, 4, 3, 5)
        self.blocks = blocks.reshape(n, f, h // 2, w // 2, 4)
        self.flat = self.blocks.max(axis=-1).reshape(n, -1)
        scores = self.flat @ self.params["W2"] + self.params["b2"]
        e = np.exp(scores - scores.max(axis=1, keepdims=True))
        self.p = e / e.sum(axis=1, keepdims=True)
        return self.p

    def loss(self, y):
        return np.log(self.p[np.arange(len(y)), y]).mean()

    def backward(self, y):
        d = self.p.copy()
        d[np.arange(len(y)), y] -= 1
        d /= len(y)
        grads = {"W2": self.flat.T @ d, "b2": d.sum(axis=0)}
        back = (d @ self.params["W2"].T).reshape(*self.blocks.shape[:4], 1)
        blocks = np.zeros_like(self.blocks)
        np.put_along_axis(blocks, self.blocks.argmax(axis=-1)[..., None], back, axis=-1)
        n, f, h, w, _ = blocks.shape
        dconv = blocks.reshape(n, f, h, w, 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(self.conv.shape)
        grads["W1"] = np.einsum("nchwij,nfhw->fcij", self.view, dconv)
        return grads

    def train_step(self, X, y):
        self.forward(X)
        loss = self.loss(y)
        grads = self.backward(y)
        for name in self.params:
            self.params[name] -= self.lr * grads[name]
        return loss
