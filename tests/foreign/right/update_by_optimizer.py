import numpy as np


class SGD:
    def __init__(self, lr=0.01):
        self.lr = lr

    def apply(self, param, grad):
        param -= self.lr * grad


class ConvLayer:
    def __init__(self, in_channels, n_filters):
        self.W = np.random.randn(3, 3, in_channels, n_filters) / 9

    def forward(self, x):
        self.x = x
        h, w = x.shape[1] - 2, x.shape[2] - 2
        return sum(x[:, i:i + h, j:j + w] @ self.W[i, j] for i in range(3) for j in range(3))

    def backward(self, d):
        h, w = d.shape[1:3]
        self.dW = np.array([[np.tensordot(self.x[:, i:i + h, j:j + w], d, ((0, 1, 2), (0, 1, 2))) for j in range(3)]
                            for i in range(3)])
        dx = np.zeros_like(self.x)
        for i in range(3):
            for j in range(3):
                dx[:, i:i + h, j:j + w] += d @ self.W[i, j].T
        return dx

    def update(self, optimizer):
        optimizer.apply(self.W, self.dW)


class MaxPoolLayer:
    def forward(self, x):
        self.x = x
        h, w = x.shape[1] // 2 * 2, x.shape[2] // 2 * 2
        self.c = np.stack([x[:, r:h:2, s:w:2] for r in (0, 1) for s in (0, 1)])
        return self.c.max(axis=0)

    def backward(self, d):
        dx = np.zeros_like(self.x)
        h, w = 2 * d.shape[1], 2 * d.shape[2]
        first = self.c.argmax(axis=0)
        for k in range(4):
            dx[:, k // 2:h:2, k % 2:w:2] = d * (first == k)
        return dx


class DenseLayer:
    def __init__(self, n_in, n_out):
        self.W, self.b = np.random.randn(n_in, n_out) / n_in, np.zeros(n_out)

    def forward(self, x):
        self.shape, self.x = x.shape, x.reshape(len(x), -1)
        return self.x @ self.W + self.b

    def backward(self, d):
        self.dW, self.db = self.x.T @ d, d.sum(axis=0)
        return (d @ self.W.T).reshape(self.shape)

    def update(self, optimizer):
        optimizer.apply(self.W, self.dW)
        optimizer.apply(self.b, self.db)
