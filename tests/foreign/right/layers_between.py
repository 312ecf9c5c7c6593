# says: layer backward agrees (BatchNorm, ELU, Flatten, LayerNorm, UpSampling)
# says: BatchNorm: the gradient of its input and that of gamma and that of beta held to the derivative of its own forward
import numpy as np


class MaxPool2:
    def forward(self, x):
        n, h, w, c = x.shape
        self.x, x = x, x[:, : h // 2 * 2, : w // 2 * 2]
        self.windows = x.reshape(n, h // 2, 2, w // 2, 2, c).transpose(0, 1, 3, 5, 2, 4).reshape(n, h // 2, w // 2, c, 4)
        return self.windows.max(axis=-1)

    def backward(self, dout):
        dx, first = np.zeros_like(self.x), self.windows.argmax(axis=-1)
        for place in np.ndindex(dout.shape):
            n, i, j, c = place
            dx[n, 2 * i + first[place] // 2, 2 * j + first[place] % 2, c] = dout[place]
        return dx


class BatchNorm:
    """It learns only in training, and does not train unless it is told."""

    def __init__(self, num_features, eps=1e-5, momentum=0.9):
        self.gamma, self.beta = np.ones(num_features), np.zeros(num_features)
        self.eps, self.momentum = eps, momentum
        self.running_mean, self.running_var = np.zeros(num_features), np.ones(num_features)

    def forward(self, x, training=False):
        if not training:
            return self.gamma * (x - self.running_mean) / np.sqrt(self.running_var + self.eps) + self.beta
        axes = tuple(range(x.ndim - 1))
        mean, var = x.mean(axis=axes), x.var(axis=axes)
        self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * mean
        self.running_var = self.momentum * self.running_var + (1 - self.momentum) * var
        self.axes, self.std = axes, np.sqrt(var + self.eps)
        self.xhat = (x - mean) / self.std
        return self.gamma * self.xhat + self.beta

    def backward(self, dout):
        self.dgamma, self.dbeta = (dout * self.xhat).sum(axis=self.axes), dout.sum(axis=self.axes)
        d = dout * self.gamma
        return (d - d.mean(axis=self.axes) - self.xhat * (d * self.xhat).mean(axis=self.axes)) / self.std


class ELU:
    def __init__(self, alpha=1.0):
        self.alpha = alpha

    def forward(self, x):
        self.x = x
        return np.where(x > 0, x, self.alpha * (np.exp(x) - 1))

    def backward(self, dy):
        return dy * np.where(self.x > 0, 1, self.alpha * np.exp(self.x))


class Flatten:
    def forward(self, x):
        self.shape = x.shape
        return x.reshape(len(x), -1)

    def backward(self, grad):
        return grad.reshape(self.shape)


class LayerNorm:
    """It returns the gradients of what it learns beside that of what went in."""

    def __init__(self, dim):
        self.params = {"scale": np.ones(dim), "shift": np.zeros(dim)}

    def forward(self, x):
        self.std = np.sqrt(x.var(axis=-1, keepdims=True) + 1e-6)
        self.hat = (x - x.mean(axis=-1, keepdims=True)) / self.std
        return self.params["scale"] * self.hat + self.params["shift"]

    def backward(self, dout):
        d = dout * self.params["scale"]
        dx = (d - d.mean(axis=-1, keepdims=True) - self.hat * (d * self.hat).mean(axis=-1, keepdims=True)) / self.std
        return dx, {"scale": (dout * self.hat).sum(axis=0), "shift": dout.sum(axis=0)}


class UpSampling:
    def forward(self, x):
        return x.repeat(2, axis=1).repeat(2, axis=2)

    def backward(self, grad):
        n, h, w, c = grad.shape
        return grad.reshape(n, h // 2, 2, w // 2, 2, c).sum(axis=(2, 4))
