# stage: update
# names: learning rate applied twice
"""Arrays in, dicts of arrays out. The gradient is scaled by the learning rate, and so is the step."""
import numpy as np


class Net:
    def __init__(self, input_shape=(28, 28, 1), filters=8, classes=10, dtype="float64", seed=0):
        rng = np.random.default_rng(seed)
        h, w, c = input_shape
        self.dtype = np.dtype(dtype)
        self.p = {
            "conv_weight": rng.standard_normal((3, 3, c, filters)).astype(dtype) / 9,
            "dense_weight": rng.standard_normal(((h - 2) // 2 * ((w - 2) // 2) * filters, classes)).astype(dtype) / 99,
            "dense_bias": np.zeros(classes, dtype),
        }

    def get_parameters(self):
        return {k: v.copy() for k, v in self.p.items()}

    def set_parameters(self, parameters):
        self.p = {k: np.array(v, self.dtype) for k, v in parameters.items()}

    def _forward(self, images):
        self.win = np.lib.stride_tricks.sliding_window_view(images, (3, 3), axis=(1, 2))
        self.conv = np.einsum("nhwcij,ijcf->nhwf", self.win, self.p["conv_weight"], optimize=True)
        n, h, w, f = self.conv.shape
        p, q = h // 2, w // 2
        self.parts = self.conv[:, :2 * p, :2 * q].reshape(n, p, 2, q, 2, f).transpose(0, 1, 3, 2, 4, 5)
        self.parts = self.parts.reshape(n, p, q, 4, f)
        self.pool = self.parts.max(axis=3)
        return self.pool.reshape(n, -1) @ self.p["dense_weight"] + self.p["dense_bias"]

    def activations(self, images, labels):
        logits = self._forward(images)
        z = logits - logits.max(axis=1, keepdims=True)
        total = np.exp(z).sum(axis=1, keepdims=True)
        loss = (np.log(total[:, 0]) - z[np.arange(len(z)), labels]).mean()
        return {"conv": self.conv, "pool": self.pool, "logits": logits, "probabilities": np.exp(z) / total,
                "loss": loss}

    def predict(self, images):
        return self.activations(images, np.zeros(len(images), int))["probabilities"]

    def gradients(self, images, labels):
        d = self.activations(images, labels)["probabilities"].copy()
        d[np.arange(len(d)), labels] -= 1
        d /= self.dtype.type(len(d))
        d_pool = (d @ self.p["dense_weight"].T).reshape(self.pool.shape)
        first = self.parts.argmax(axis=3)
        d_conv = np.zeros_like(self.conv)
        p, q = d_pool.shape[1:3]
        for k in range(4):
            d_conv[:, k // 2:2 * p:2, k % 2:2 * q:2] = d_pool * (first == k)
        return {
            "logits": d,
            "pool": d_pool,
            "conv": d_conv,
            "conv_weight": np.einsum("nhwcij,nhwf->ijcf", self.win, d_conv, optimize=True),
            "dense_weight": self.pool.reshape(len(d), -1).T @ d,
            "dense_bias": d.sum(axis=0),
        }

    def step(self, images, labels, learning_rate):
        loss = self.activations(images, labels)["loss"]
        for name, value in self.gradients(images, labels).items():
            if name in self.p:
                self.p[name] = self.p[name] - self.dtype.type(learning_rate) * (learning_rate * value)
        return loss
