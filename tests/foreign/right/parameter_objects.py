# says: gradients add up until they are put to 0, here
# says: softmax_with_cross_entropy is taken as the loss: a batch at a time, of logits, labels as column
"""Objects hold a parameter and its gradient, which adds up: whoever trains puts it to 0."""
import numpy as np


class Param:
    def __init__(self, value):
        self.value, self.grad = value, np.zeros_like(value)


class FullyConnectedLayer:
    def __init__(self, n_input, n_output):
        self.W = Param(0.001 * np.random.randn(n_input, n_output))
        self.B = Param(0.001 * np.random.randn(1, n_output))

    def forward(self, X):
        self.X = X
        return X @ self.W.value + self.B.value

    def backward(self, d_out):
        self.W.grad += self.X.T @ d_out
        self.B.grad += d_out.sum(axis=0, keepdims=True)
        return d_out @ self.W.value.T


def softmax_with_cross_entropy(predictions, target_index):
    e = np.exp(predictions - predictions.max(axis=1, keepdims=True))
    probs = e / e.sum(axis=1, keepdims=True)
    loss = -np.log(np.take_along_axis(probs, target_index, axis=1)).mean()
    np.put_along_axis(probs, target_index, np.take_along_axis(probs, target_index, axis=1) - 1, axis=1)
    return loss, probs / len(probs)
