# stage: layer backward
# names: none
# says: BatchNorm: that of gamma:
import numpy as np


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
        self.dgamma, self.dbeta = (dout * self.xhat**2).sum(axis=self.axes), dout.sum(axis=self.axes)
        d = dout * self.gamma
        return (d - d.mean(axis=self.axes) - self.xhat * (d * self.xhat).mean(axis=self.axes)) / self.std
