# says: 1e-08 added to each probability is too small to matter
# says: 1e-07 at both ends of the logarithm stays in p - y as well
import numpy as np


class Softmax:
    def forward(self, z):
        e = np.exp(z - z.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True) + 1e-8


class CrossEntropyLoss:
    def forward(self, p, labels):
        self.p, self.y = np.clip(p, 1e-7, 1 - 1e-7), np.eye(p.shape[1])[labels]
        return -(self.y * np.log(self.p)).sum() / len(p)

    def backward(self):
        return (self.p - self.y) / len(self.p)
