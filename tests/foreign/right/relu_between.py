# says: the convolution ends in relu, which ours has not
import numpy as np


class TinyConvNet:
    """forward(images) -> probabilities; gradients(images, labels) -> dict by parameter name, nothing is updated."""

    def __init__(self, in_channels=1, num_filters=8, num_classes=10, input_shape=(28, 28, 1)):
        rows, cols = (input_shape[0] - 2) // 2, (input_shape[1] - 2) // 2
        self.params = {
            "kernel": np.random.randn(num_filters, in_channels, 3, 3) / 9,
            "weights": np.random.randn(rows * cols * num_filters, num_classes) / 1000,
            "bias": np.zeros(num_classes),
        }

    def forward(self, images):
        n, h, w, c = images.shape
        oh, ow = h - 2, w - 2
        kernel = self.params["kernel"]
        self.images = images
        conv = sum(
            images[:, i:i + oh, j:j + ow, :] @ kernel[:, :, i, j].T for i in range(3) for j in range(3)
        )
        self.conv = np.maximum(conv, 0)
        conv = self.conv
        p, q = oh // 2, ow // 2
        corners = [conv[:, r:2 * p:2, s:2 * q:2, :] for r in (0, 1) for s in (0, 1)]
        self.corners = np.stack(corners)
        self.flat = self.corners.max(axis=0).reshape(n, -1)
        logits = self.flat @ self.params["weights"] + self.params["bias"]
        exps = np.exp(logits - np.amax(logits, 1, keepdims=True))
        return exps / np.sum(exps, 1, keepdims=True)

    def gradients(self, images, labels):
        n = len(images)
        delta = self.forward(images).copy()
        delta[range(n), labels] -= 1.0
        delta = delta / n
        d_pool = (delta @ self.params["weights"].T).reshape(self.corners.shape[1:])
        d_conv = np.zeros_like(self.conv)
        winner = self.corners.argmax(axis=0)
        p, q = d_pool.shape[1:3]
        for k in range(4):
            d_conv[:, k // 2:2 * p:2, k % 2:2 * q:2, :] += np.where(winner == k, d_pool, 0)
        d_conv = d_conv * (self.conv > 0)
        d_kernel = np.zeros_like(self.params["kernel"])
        oh, ow = d_conv.shape[1:3]
        for i in range(3):
            for j in range(3):
                d_kernel[:, :, i, j] = np.tensordot(
                    d_conv, self.images[:, i:i + oh, j:j + ow, :], axes=([0, 1, 2], [0, 1, 2])
                )
        return {"kernel": d_kernel, "weights": self.flat.T @ delta, "bias": delta.sum(0)}
