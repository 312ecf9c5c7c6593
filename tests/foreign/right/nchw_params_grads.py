# says: held at 0
from collections import OrderedDict

import numpy as np


class Convolution:
    def __init__(self, in_channels, out_channels, kernel_size=3, stride=1, padding=0):
        self.stride, self.padding, self.k = stride, padding, kernel_size
        scale = np.sqrt(2.0 / (in_channels * kernel_size ** 2))
        self.params = {
            'W': scale * np.random.randn(out_channels, in_channels, kernel_size, kernel_size),
            'b': np.zeros(out_channels),
        }
        self.grads = {}

    def forward(self, x):
        p, k = self.padding, self.k
        self.x = np.pad(x, [(0, 0), (0, 0), (p, p), (p, p)], mode='constant')
        N, C, H, W = self.x.shape
        oh, ow = H - k + 1, W - k + 1
        out = np.zeros((N, self.params['W'].shape[0], oh, ow), dtype=x.dtype)
        for i in range(k):
            for j in range(k):
                out += np.einsum('nchw,fc->nfhw', self.x[:, :, i:i + oh, j:j + ow], self.params['W'][:, :, i, j])
        return out + self.params['b'].reshape(1, -1, 1, 1)

    def backward(self, dout):
        k = self.k
        oh, ow = dout.shape[2:]
        dW = np.zeros_like(self.params['W'])
        dx = np.zeros_like(self.x)
        for i in range(k):
            for j in range(k):
                window = self.x[:, :, i:i + oh, j:j + ow]
                dW[:, :, i, j] = np.einsum('nfhw,nchw->fc', dout, window)
                dx[:, :, i:i + oh, j:j + ow] += np.einsum('nfhw,fc->nchw', dout, self.params['W'][:, :, i, j])
        self.grads['W'] = dW
        self.grads['b'] = dout.sum(axis=(0, 2, 3))
        p = self.padding
        return dx if p == 0 else dx[:, :, p:-p, p:-p]


class MaxPooling:
    def __init__(self, pool_h=2, pool_w=2, stride=2):
        self.pool_h, self.pool_w, self.stride = pool_h, pool_w, stride
        self.params, self.grads = {}, {}

    def forward(self, x):
        N, C, H, W = x.shape
        oh, ow = H // 2, W // 2
        col = x[:, :, :oh * 2, :ow * 2].reshape(N, C, oh, 2, ow, 2)
        col = col.transpose(0, 1, 2, 4, 3, 5).reshape(-1, 4)
        self.arg_max = np.argmax(col, axis=1)
        self.x_shape = x.shape
        return np.max(col, axis=1).reshape(N, C, oh, ow)

    def backward(self, dout):
        N, C, oh, ow = dout.shape
        dcol = np.zeros((dout.size, 4), dtype=dout.dtype)
        dcol[np.arange(dout.size), self.arg_max] = dout.flatten()
        dcol = dcol.reshape(N, C, oh, ow, 2, 2).transpose(0, 1, 2, 4, 3, 5)
        dx = np.zeros(self.x_shape, dtype=dout.dtype)
        dx[:, :, :oh * 2, :ow * 2] = dcol.reshape(N, C, oh * 2, ow * 2)
        return dx


class Affine:
    def __init__(self, input_size, output_size):
        self.params = {'W': 0.01 * np.random.randn(input_size, output_size), 'b': np.zeros(output_size)}
        self.grads = {}

    def forward(self, x):
        self.original_shape = x.shape
        self.x = x.reshape(x.shape[0], -1)
        return np.dot(self.x, self.params['W']) + self.params['b']

    def backward(self, dout):
        self.grads['W'] = np.dot(self.x.T, dout)
        self.grads['b'] = np.sum(dout, axis=0)
        return np.dot(dout, self.params['W'].T).reshape(self.original_shape)


class SoftmaxWithLoss:
    def forward(self, x, t):
        x = x - x.max(axis=1, keepdims=True)
        self.y = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
        self.t = t
        return -np.log(self.y[np.arange(len(t)), t]).mean()

    def backward(self, dout=1):
        dx = self.y.copy()
        dx[np.arange(len(self.t)), self.t] -= 1
        return dout * dx / len(self.t)


class ConvNet:
    """conv - pool - affine - softmax"""

    def __init__(self):
        self.layers = OrderedDict()
        self.layers['Conv1'] = Convolution(1, 8)
        self.layers['Pool1'] = MaxPooling()
        self.layers['Affine1'] = Affine(8 * 13 * 13, 10)
        self.last_layer = SoftmaxWithLoss()

    def loss(self, x, t):
        for layer in self.layers.values():
            x = layer.forward(x)
        return self.last_layer.forward(x, t)
