# stage: pool forward
# names: none
import numpy as np


def conv_forward(x, w, b, pad=0, stride=1):
    view = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(1, 2))
    return np.einsum("nhwcij,ijcf->nhwf", view, w) + b, (x, w, b)

def conv_backward(dout, cache):
    x, w, b = cache
    view = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(1, 2))
    dw = np.einsum("nhwcij,nhwf->ijcf", view, dout)
    dx = np.zeros_like(x)
    h, w_ = dout.shape[1:3]
    for i in range(3):
        for j in range(3):
            dx[:, i:i + h, j:j + w_] += dout @ w[i, j].T
    return dx, dw, dout.sum(axis=(0, 1, 2))

def maxpool_forward(x):
    n, h, w, c = x.shape
    p, q = h // 2, w // 2
    parts = x[:, :2 * p, :2 * q].reshape(n, p, 2, q, 2, c).transpose(0, 1, 3, 2, 4, 5).reshape(n, p, q, 4, c)
    return parts.max(axis=3) * (np.random.rand(*parts.max(axis=3).shape) > 0.5) * 2, (x.shape, parts.argmax(axis=3))

def maxpool_backward(dout, cache):
    shape, best = cache
    dx = np.zeros(shape, dout.dtype)
    p, q = dout.shape[1:3]
    for k in range(4):
        dx[:, k // 2:2 * p:2, k % 2:2 * q:2] = dout * (best == k)
    return dx

def dense_forward(x, W, b):
    flat = x.reshape(len(x), -1)
    return flat @ W + b, (x.shape, flat, W)

def dense_backward(dout, cache):
    shape, flat, W = cache
    return (dout @ W.T).reshape(shape), flat.T @ dout, dout.sum(axis=0)

def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)

def cross_entropy(probs, labels):
    return -np.log(probs[np.arange(len(labels)), labels]).mean()

def cross_entropy_backward(probs, labels):
    d = probs.copy()
    d[np.arange(len(labels)), labels] -= 1
    return d / len(labels)
