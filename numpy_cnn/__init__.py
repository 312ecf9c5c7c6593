"""The network from scratch, in NumPy alone.

Legend of every docstring: N batch, H W rows and columns, C input channels, F filters, P Q rows and columns after
the pool, K classes. `dx` is the gradient of the loss with respect to `x`.
"""

from numpy_cnn.conv import Conv3x3
from numpy_cnn.maxpool import MaxPool2
from numpy_cnn.model import CNN, Evaluation
from numpy_cnn.softmax import Softmax, cross_entropy, cross_entropy_backward, softmax
from numpy_cnn.weights import load_weights, save_weights

__all__ = [
    "CNN",
    "Conv3x3",
    "Evaluation",
    "MaxPool2",
    "Softmax",
    "cross_entropy",
    "cross_entropy_backward",
    "load_weights",
    "save_weights",
    "softmax",
]
