"""Layers are made of weights that somebody else keeps."""
import numpy as np


class Convolution:
    def __init__(self, W, b, stride=1, pad=0):
        self.W = W
        self.b = b
        self.stride = stride
        self.pad = pad

        self.x = None
        self.dW = None
        self.db = None

    def forward(self, x):
        self.x = np.pad(x, ((0, 0), (0, 0), (self.pad, self.pad), (self.pad, self.pad)))
        self.view = np.lib.stride_tricks.sliding_window_view(self.x, self.W.shape[2:], axis=(2, 3))
        out = np.tensordot(self.view, self.W, axes=([1, 4, 5], [1, 2, 3]))
        return (out + self.b).transpose(0, 3, 1, 2)

    def backward(self, dout):
        self.db = dout.sum(axis=(0, 2, 3))
        self.dW = np.tensordot(dout, self.view, axes=([0, 2, 3], [0, 2, 3]))
        dx = np.zeros_like(self.x)
        h, w = dout.shape[2:]
        for i in range(self.W.shape[2]):
            for j in range(self.W.shape[3]):
                part = np.tensordot(dout, self.W[:, :, i, j], axes=([1], [0]))
                dx[:, :, i:i + h, j:j + w] += part.transpose(0, 3, 1, 2)
        return dx[:, :, self.pad:dx.shape[2] - self.pad, self.pad:dx.shape[3] - self.pad]


class Affine:
    def __init__(self, W, b):
        self.W = W
        self.b = b
        self.x = None
        self.dW = None
        self.db = None

    def forward(self, x):
        self.original_x_shape = x.shape
        self.x = x.reshape(x.shape[0], -1)
        return np.dot(self.x, self.W) + self.b

    def backward(self, dout):
        self.dW = np.dot(self.x.T, dout)
        self.db = np.sum(dout, axis=0)
        return np.dot(dout, self.W.T).reshape(*self.original_x_shape)
