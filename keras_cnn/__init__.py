"""The network in Keras 3: `model` as a Keras user would write it; `adapter`, `layout` and `checks` for NumPy arrays.

Legend of every docstring: N batch, H W rows and columns, C input channels, F filters, P Q rows and columns after
the pool, K classes. `dx` is the gradient of the loss with respect to `x`.
"""

import os

os.environ.setdefault("KERAS_BACKEND", "tensorflow")  # Keras looks once, when it is imported

from keras_cnn.model import build, scale, train_step  # noqa: E402

__all__ = ["build", "scale", "train_step"]
