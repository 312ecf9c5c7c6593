"""The network in PyTorch: `model` as a PyTorch user would write it; `adapter`, `layout` and `checks` for NumPy arrays.

Legend of every docstring: N batch, H W rows and columns, C input channels, F filters, P Q rows and columns after
the pool, K classes. `dx` is the gradient of the loss with respect to `x`.
"""

from torch_cnn.model import CNN, fit, scale, train_step

__all__ = ["CNN", "fit", "scale", "train_step"]
