# stage: conv backward
# names: filter gradient divided by the batch twice
"""The loss is a mean over the batch; the filters' gradient is divided by the batch once more."""
import numpy as np


def conv_forward(images, filters):
    H, W = images.shape[1:3]
    out = 0
    for di in range(3):
        for dj in range(3):
            out = out + np.einsum("nhwc,cf->nhwf", images[:, di:H - 2 + di, dj:W - 2 + dj], filters[di, dj])
    return out


def conv_backward(dout, images, filters):
    H, W = images.shape[1:3]
    d_filters = np.zeros_like(filters)
    d_images = np.zeros_like(images)
    for di in range(3):
        for dj in range(3):
            part = (slice(None), slice(di, H - 2 + di), slice(dj, W - 2 + dj))
            d_filters[di, dj] = np.einsum("nhwc,nhwf->cf", images[part], dout) / len(images)
            d_images[part] += np.einsum("nhwf,cf->nhwc", dout, filters[di, dj])
    return d_images, d_filters


def maxpool_forward(x):
    a, b = x[:, 0:x.shape[1] // 2 * 2:2], x[:, 1:x.shape[1] // 2 * 2:2]
    w = x.shape[2] // 2 * 2
    corners = np.array([a[:, :, 0:w:2], a[:, :, 1:w:2], b[:, :, 0:w:2], b[:, :, 1:w:2]])
    return corners.max(axis=0), (x.shape, corners.argmax(axis=0))


def maxpool_backward(dout, cache):
    shape, which = cache
    dx = np.zeros(shape, dtype=dout.dtype)
    h, w = shape[1] // 2 * 2, shape[2] // 2 * 2
    for corner in range(4):
        dx[:, corner // 2:h:2, corner % 2:w:2] = dout * (which == corner)
    return dx


def dense_forward(x, weights, bias):
    return x.reshape(x.shape[0], -1) @ weights + bias


def dense_backward(dout, x, weights, bias):
    flat = x.reshape(x.shape[0], -1)
    return (dout @ weights.T).reshape(x.shape), flat.T @ dout, dout.sum(axis=0)


def softmax(logits):
    e = np.exp(logits - logits.max(axis=1)[:, None])
    return e / e.sum(axis=1)[:, None]


def cross_entropy(probs, labels):
    return -np.log(probs[np.arange(labels.size), labels]).mean()


def cross_entropy_backward(probs, labels):
    onehot = np.zeros_like(probs)
    onehot[np.arange(labels.size), labels] = 1
    return (probs - onehot) / labels.size
