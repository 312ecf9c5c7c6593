# stage: dense backward
# names: d_logits of large logits is no number
# says: only at logits of 1e5
"""-y / p for all classes: where one has probability 1 the others are 0 / 0."""
import numpy as np
class Softmax:
    def __init__(self, input_len, nodes):
        self.weights = np.random.randn(input_len, nodes) / input_len
        self.biases = np.zeros(nodes)
    def forward(self, x):
        self.shape = x.shape
        self.x = x.flatten()
        t = self.x @ self.weights + self.biases
        e = np.exp(t - t.max())
        self.p = e / e.sum()
        return self.p
    def backprop(self, label, lr):
        y = np.eye(len(self.p))[label]
        d_p = -y / self.p
        d_t = (np.diag(self.p) - np.outer(self.p, self.p)) @ d_p
        d_x = self.weights @ d_t
        self.weights -= lr * np.outer(self.x, d_t)
        self.biases -= lr * d_t
        return d_x.reshape(self.shape)
