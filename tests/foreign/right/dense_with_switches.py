# says: backward is given the label as a one-hot row
# never: ReLU on the logits
"""A dense layer that ends in a ReLU unless it is told that it is the last; the way back wants the labels then."""
import numpy as np


class FullyConnectLayer:
    def __init__(self, in_size, out_size, learning_rate, adam, weights_init="he", softmax=False):
        self.learning_rate, self.adam, self.softmax = learning_rate, adam, softmax
        self.weights = np.random.randn(in_size, out_size) * np.sqrt(2 / in_size)
        self.m_weights, self.v_weights = np.zeros_like(self.weights), np.zeros_like(self.weights)
        self.biases = np.zeros(out_size)

    def forward(self, x, training):
        self.shape, self.x = x.shape, x.reshape(len(x), -1)
        self.z = self.x @ self.weights + self.biases
        e = np.exp(self.z - self.z.max(axis=1, keepdims=True))
        self.output = e / e.sum(axis=1, keepdims=True) if self.softmax else np.maximum(self.z, 0)
        return self.output

    def backward(self, output_grad, y):
        dz = self.output - y if self.softmax else output_grad * (self.z > 0)
        dw, db = self.x.T @ dz / len(dz), dz.mean(axis=0)
        dx = (dz @ self.weights.T).reshape(self.shape)
        if self.adam:
            self.m_weights = 0.9 * self.m_weights + 0.1 * dw
            self.v_weights = 0.999 * self.v_weights + 0.001 * dw**2
            dw = self.m_weights / (np.sqrt(self.v_weights) + 1e-8)
        self.weights -= self.learning_rate * dw
        self.biases -= self.learning_rate * db
        return dx
