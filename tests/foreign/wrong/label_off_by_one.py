# stage: loss forward
# names: labels off by one
import numpy as np


def softmax_with_cross_entropy(predictions, target_index):
    """predictions: (N, K). target_index: (N,), taken as if classes were counted from 1."""
    shifted = predictions - predictions.max(axis=1, keepdims=True)
    log_probs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    rows = np.arange(len(target_index))
    picked = target_index - 1
    loss = -log_probs[rows, picked].mean()
    dprediction = np.exp(log_probs)
    dprediction[rows, picked] -= 1
    return loss, dprediction / len(target_index)
