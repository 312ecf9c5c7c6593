# stage: conv backward
# names: one filter gradient for all channels
import numpy as np


class Layer:
    """What all layers share: parameters, gradients, and a step."""

    def __init__(self):
        self.params, self.grads = {}, {}

    def update(self, lr):
        for key in self.params:
            self.params[key] = self.params[key] - lr * self.grads[key]


class Conv(Layer):
    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.params["W"] = np.random.randn(3, 3, in_channels, out_channels) / 9

    def forward(self, x):
        self.x = x
        h, w = x.shape[1] - 2, x.shape[2] - 2
        W = self.params["W"]
        return sum(x[:, i:i + h, j:j + w] @ W[i, j] for i in range(3) for j in range(3))

    def backward(self, dout):
        h, w = dout.shape[1:3]
        W = self.params["W"]
        dW, dx = np.zeros_like(W), np.zeros_like(self.x)
        for i in range(3):
            for j in range(3):
                dW[i, j] = np.tensordot(self.x[:, i:i + h, j:j + w].sum(-1), dout, axes=3)
                dx[:, i:i + h, j:j + w] += dout @ W[i, j].T
        self.grads["W"] = dW
        return dx


class MaxPool(Layer):
    def forward(self, x):
        n, h, w, c = x.shape
        self.shape = x.shape
        t = x[:, :h // 2 * 2, :w // 2 * 2].reshape(n, h // 2, 2, w // 2, 2, c).transpose(0, 1, 3, 5, 2, 4)
        t = t.reshape(*t.shape[:4], 4)
        self.arg = t.argmax(-1)
        return t.max(-1)

    def backward(self, dout):
        dx = np.zeros(self.shape, dout.dtype)
        h, w = dout.shape[1] * 2, dout.shape[2] * 2
        for k in range(4):
            dx[:, k // 2:h:2, k % 2:w:2] = np.where(self.arg == k, dout, 0)
        return dx


class Dense(Layer):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.params["W"] = np.random.randn(in_features, out_features) / in_features
        self.params["b"] = np.zeros(out_features)

    def forward(self, x):
        self.shape = x.shape
        self.x = x.reshape(len(x), -1)
        return self.x @ self.params["W"] + self.params["b"]

    def backward(self, dout):
        self.grads["W"] = self.x.T @ dout
        self.grads["b"] = dout.sum(0)
        return (dout @ self.params["W"].T).reshape(self.shape)
