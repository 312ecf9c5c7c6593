# says: network backward agrees (Net.weights[0], Net.weights[1], Net.weights[2], Net.weights[3], Net.biases[0]
# says: training step agrees (Net.train_step)
# says: the gradients of backward are held to the derivative of the cross-entropy of its output
import numpy as np


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


class Net:
    """Two convolutions of 5x5 in a row, a pool, a hidden layer; weights and biases are lists."""

    def __init__(self, lr=0.1):
        shapes = [(3, 1, 5, 5), (4, 3, 5, 5), (4 * 100, 16), (16, 10)]
        self.weights = [np.random.randn(*shape) * 0.1 for shape in shapes]
        self.biases = [np.zeros(n) for n in (3, 4, 16, 10)]
        self.lr = lr

    def forward(self, X):
        self.inputs, self.before = [X], []
        for n in (0, 1):
            windows = np.lib.stride_tricks.sliding_window_view(self.inputs[-1], (5, 5), axis=(2, 3))
            z = np.einsum("nchwij,fcij->nfhw", windows, self.weights[n]) + self.biases[n][:, None, None]
            self.before.append(z)
            self.inputs.append(np.maximum(z, 0))
        n, f, h, w = self.inputs[2].shape
        blocks = self.inputs[2].reshape(n, f, h // 2, 2, w // 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(n, f, -1, 4)
        self.winners, self.inputs[2] = blocks.argmax(axis=-1), blocks.max(axis=-1).reshape(n, -1)
        z = self.inputs[2] @ self.weights[2] + self.biases[2]
        self.inputs.append(np.tanh(z))
        self.out = softmax(self.inputs[3] @ self.weights[3] + self.biases[3])
        return self.out

    def loss(self, y):
        return -np.mean(np.log(self.out[np.arange(len(y)), y] + 1e-12))

    def backward(self, y):
        dW, db = [None] * 4, [None] * 4
        d = (self.out - np.eye(10)[y]) / len(y)
        dW[3], db[3] = self.inputs[3].T @ d, d.sum(axis=0)
        d = d @ self.weights[3].T * (1 - self.inputs[3] ** 2)
        dW[2], db[2] = self.inputs[2].T @ d, d.sum(axis=0)
        blocks = np.zeros((*self.winners.shape, 4))
        np.put_along_axis(blocks, self.winners[..., None], (d @ self.weights[2].T).reshape(*self.winners.shape, 1), -1)
        blocks = blocks.reshape(len(y), 4, 10, 10, 2, 2)
        d = blocks.transpose(0, 1, 2, 4, 3, 5).reshape(self.before[1].shape)
        for n in (1, 0):
            d = d * (self.before[n] > 0)
            windows = np.lib.stride_tricks.sliding_window_view(self.inputs[n], (5, 5), axis=(2, 3))
            dW[n], db[n] = np.einsum("nchwij,nfhw->fcij", windows, d), d.sum(axis=(0, 2, 3))
            padded = np.pad(d, ((0, 0), (0, 0), (4, 4), (4, 4)))
            windows = np.lib.stride_tricks.sliding_window_view(padded, (5, 5), axis=(2, 3))
            d = np.einsum("nfhwij,fcij->nchw", windows, self.weights[n][:, :, ::-1, ::-1])
        return dW, db

    def train_step(self, X, y):
        self.forward(X)
        loss = self.loss(y)
        dW, db = self.backward(y)
        for n in range(4):
            self.weights[n] -= self.lr * dW[n]
            self.biases[n] -= self.lr * db[n]
        return loss
