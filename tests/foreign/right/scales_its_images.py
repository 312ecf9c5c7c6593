# says: of pixels from 0 to 255, which it scales itself
# never: scaled twice
import numpy as np


class Network:
    def __init__(self, filters=8, classes=10):
        self.k = np.random.randn(filters, 3, 3) / 9
        self.w = np.random.randn(13 * 13 * filters, classes) / 1352
        self.b = np.zeros(classes)

    def forward(self, image):
        image = image / 255 - 0.5
        self.windows = np.lib.stride_tricks.sliding_window_view(image, (3, 3))
        self.conv = np.einsum("hwij,fij->hwf", self.windows, self.k)
        h, w, f = self.conv.shape
        blocks = self.conv[: h // 2 * 2, : w // 2 * 2].reshape(h // 2, 2, w // 2, 2, f).transpose(0, 2, 4, 1, 3)
        self.blocks = blocks.reshape(h // 2, w // 2, f, 4)
        self.flat = self.blocks.max(axis=-1).ravel()
        z = self.flat @ self.w + self.b
        e = np.exp(z - z.max())
        self.p = e / e.sum()
        return self.p

    def backward(self, label, lr):
        d_p = np.zeros_like(self.p)
        d_p[label] = -1 / (self.p[label] + 1e-8)
        d_z = self.p * (d_p - (d_p * self.p).sum())
        d_flat = self.w @ d_z
        d_blocks = np.zeros_like(self.blocks)
        at = self.blocks.argmax(axis=-1)
        np.put_along_axis(d_blocks, at[..., None], d_flat.reshape(at.shape)[..., None], -1)
        p, q, f = at.shape
        d_conv = np.zeros_like(self.conv)
        d_conv[: 2 * p, : 2 * q] = d_blocks.reshape(p, q, f, 2, 2).transpose(0, 3, 1, 4, 2).reshape(2 * p, 2 * q, f)
        self.k -= lr * np.einsum("hwij,hwf->fij", self.windows, d_conv)
        self.w -= lr * np.outer(self.flat, d_z)
        self.b -= lr * d_z

    def train(self, image, label, lr=0.005):
        p = self.forward(image)
        self.backward(label, lr)
        return -np.log(p[label] + 1e-8)
