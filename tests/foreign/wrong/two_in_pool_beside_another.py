# stage: softmax forward
# names: none
# says: softmax forward: no shift in the softmax
# says: pool backward: every tied maximum gets the gradient and only the first window hands its gradient back
import numpy as np


class MaxPool:
    def windows(self, x):
        for i in range(x.shape[0] // 2):
            for j in range(x.shape[1] // 2):
                yield i, j, x[2 * i : 2 * i + 2, 2 * j : 2 * j + 2]

    def forward(self, x):
        self.x = x
        out = np.zeros((x.shape[0] // 2, x.shape[1] // 2, x.shape[2]))
        for i, j, window in self.windows(x):
            out[i, j] = window.max(axis=(0, 1))
        return out

    def backward(self, dy):
        dx = np.zeros(self.x.shape)
        for i, j, window in self.windows(self.x):
            dx[2 * i : 2 * i + 2, 2 * j : 2 * j + 2] = (window == window.max(axis=(0, 1))) * dy[i, j]
            return dx


class Softmax:
    def __init__(self, input_len, nodes):
        self.weights = np.random.randn(input_len, nodes) / input_len
        self.biases = np.zeros(nodes)

    def forward(self, x):
        e = np.exp(x.flatten() @ self.weights + self.biases)
        return e / e.sum()
