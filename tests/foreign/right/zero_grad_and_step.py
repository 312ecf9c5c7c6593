"""Layers in the manner of a deep learning library: zero_grad, backward that adds up, step that takes the rate."""
import numpy as np


class Module:
    def parameters(self):
        return []

    def zero_grad(self):
        for param in self.parameters():
            param["grad"][...] = 0

    def step(self, lr):
        for param in self.parameters():
            param["value"] -= lr * param["grad"]


class Conv2d(Module):
    def __init__(self, in_channels, out_channels):
        w = np.random.randn(out_channels, in_channels, 3, 3) / 9
        self.w = {"value": w, "grad": np.zeros_like(w)}

    def parameters(self):
        return [self.w]

    def forward(self, x):
        self.v = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(2, 3))
        self.shape = x.shape
        return np.einsum("nchwij,fcij->nfhw", self.v, self.w["value"])

    def backward(self, dy):
        self.w["grad"] += np.einsum("nchwij,nfhw->fcij", self.v, dy)
        dx = np.zeros(self.shape)
        h, w = dy.shape[2:]
        for i in range(3):
            for j in range(3):
                dx[:, :, i:i + h, j:j + w] += np.einsum("nfhw,fc->nchw", dy, self.w["value"][:, :, i, j])
        return dx


class MaxPool2d(Module):
    def forward(self, x):
        n, c, h, w = x.shape
        self.shape = x.shape
        t = x[:, :, :h - h % 2, :w - w % 2].reshape(n, c, h // 2, 2, w // 2, 2).swapaxes(3, 4)
        t = t.reshape(n, c, h // 2, w // 2, 4)
        self.a = t.argmax(-1)
        return t.max(-1)

    def backward(self, dy):
        dx = np.zeros(self.shape)
        n, c, i, j = np.indices(dy.shape)
        dx[n, c, 2 * i + self.a // 2, 2 * j + self.a % 2] = dy
        return dx


class Flatten(Module):
    def forward(self, x):
        self.shape = x.shape
        return x.reshape(len(x), -1)

    def backward(self, dy):
        return dy.reshape(self.shape)


class Linear(Module):
    def __init__(self, in_features, out_features):
        w, b = np.random.randn(out_features, in_features) / in_features, np.zeros(out_features)
        self.w = {"value": w, "grad": np.zeros_like(w)}
        self.b = {"value": b, "grad": np.zeros_like(b)}

    def parameters(self):
        return [self.w, self.b]

    def forward(self, x):
        self.x = x
        return x @ self.w["value"].T + self.b["value"]

    def backward(self, dy):
        self.w["grad"] += dy.T @ self.x
        self.b["grad"] += dy.sum(axis=0)
        return dy @ self.w["value"]
