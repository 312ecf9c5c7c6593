# stage: loss backward
# names: (p - y) / 2
import numpy as np


def softmax_cross_entropy(logits, labels):
    z = logits - logits.max(axis=1, keepdims=True)
    probs = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    one_hot = np.eye(logits.shape[1], dtype=logits.dtype)[labels]
    log_probs = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    loss = -np.mean(np.sum(one_hot * log_probs, axis=1))
    grad = (probs - one_hot) / (2 * logits.shape[0])
    return loss, grad
