# stage: pool forward
# names: only the first window is pooled
import numpy as np


class MaxPool:
    def __init__(self, size=2):
        self.size = size

    def forward(self, x):
        self.x = x
        h, w, depth = x.shape
        s = self.size
        pooled = np.zeros((h // s, w // s, depth))
        for row in range(h // s):
            for col in range(w // s):
                window = x[row * s:(row + 1) * s, col * s:(col + 1) * s]
                pooled[row, col] = window.reshape(-1, depth).max(axis=0)
                return pooled

    def backward(self, grad):
        s = self.size
        back = np.zeros_like(self.x)
        depth = self.x.shape[2]
        for row in range(grad.shape[0]):
            for col in range(grad.shape[1]):
                window = self.x[row * s:(row + 1) * s, col * s:(col + 1) * s].reshape(-1, depth)
                best = window.argmax(axis=0)
                for d in range(depth):
                    back[row * s + best[d] // s, col * s + best[d] % s, d] = grad[row, col, d]
        return back
