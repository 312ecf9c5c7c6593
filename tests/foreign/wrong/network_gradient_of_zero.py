# stage: network backward
# names: none
# says: params[b1]: its change along a random direction is 0
# says: it is zero
import numpy as np


class ThreeLayerNet:
    """loss(X) gives scores, and loss(X, y) the loss with its L2 term, and the gradients; a bias is a row."""

    def __init__(self, num_filters=4, hidden_dim=12, num_classes=10, weight_scale=1e-3, strength=0.5):
        self.strength = strength
        self.params = {
            "W1": weight_scale * np.random.randn(num_filters, 1, 7, 7),
            "b1": np.zeros((1, num_filters)),
            "W2": weight_scale * np.random.randn(num_filters * 11 * 11, hidden_dim),
            "b2": np.zeros((1, hidden_dim)),
            "W3": weight_scale * np.random.randn(hidden_dim, num_classes),
            "b3": np.zeros((1, num_classes)),
        }

    def loss(self, X, y=None):
        p, n = self.params, len(X)
        windows = np.lib.stride_tricks.sliding_window_view(X, (7, 7), axis=(2, 3))
        conv = np.einsum("nchwij,fcij->nfhw", windows, p["W1"]) + p["b1"][0][:, None, None]
        blocks = np.maximum(conv, 0).reshape(n, -1, 11, 2, 11, 2).transpose(0, 1, 2, 4, 3, 5).reshape(n, -1, 11, 11, 4)
        flat = blocks.max(axis=-1).reshape(n, -1)
        hidden = np.maximum(flat @ p["W2"] + p["b2"], 0)
        scores = hidden @ p["W3"] + p["b3"]
        if y is None:
            return scores
        e = np.exp(scores - scores.max(axis=1, keepdims=True))
        probabilities = e / e.sum(axis=1, keepdims=True)
        loss = -np.log(probabilities[np.arange(n), y]).mean()
        loss += 0.5 * self.strength * sum(np.sum(p[name] ** 2) for name in ("W1", "W2", "W3"))
        grads = {}
        d = probabilities.copy()
        d[np.arange(n), y] -= 1
        d /= n
        grads["W3"], grads["b3"] = hidden.T @ d, d.sum(axis=0, keepdims=True)
        d = (d @ p["W3"].T) * (hidden > 0)
        grads["W2"], grads["b2"] = flat.T @ d, d.sum(axis=0, keepdims=True)
        d = (d @ p["W2"].T).reshape(n, -1, 11, 11, 1)
        d = d * (blocks == blocks.max(axis=-1, keepdims=True)) * (blocks > 0)
        d = d.reshape(n, -1, 11, 11, 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(conv.shape)
        grads["W1"] = np.einsum("nchwij,nfhw->fcij", windows, d)
        grads["b1"] = d.sum(axis=(0, 2, 3))[None]
        grads["b1"] = np.zeros_like(p["b1"])
        for name in ("W1", "W2", "W3"):
            grads[name] += self.strength * p[name]
        return loss, grads
