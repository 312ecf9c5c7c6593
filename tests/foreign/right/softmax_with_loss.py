import numpy as np


def softmax_cross_entropy(logits, labels):
    """Softmax and its loss in one. Returns the mean loss, and the gradient of the logits."""
    rows = np.arange(logits.shape[0])
    top = np.max(logits, axis=1, keepdims=True)
    lse = top + np.log(np.sum(np.exp(logits - top), axis=1, keepdims=True))
    loss = np.mean(lse[:, 0] - logits[rows, labels])
    dlogits = np.exp(logits - lse)
    dlogits[rows, labels] -= 1
    return loss, dlogits / logits.shape[0]
