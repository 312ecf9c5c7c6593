"""The network as an nn.Module, and one training step."""

import operator

import torch.nn.functional as F  # noqa: N812 - the name that PyTorch's own documentation uses
from torch import nn


class CNN(nn.Module):
    """Conv 3x3 without bias, max-pool 2x2, dense: (N, C, H, W) images in, (N, K) logits out.

    Args:
        input_shape: (H, W, C) of one image; H, W >= 4 ("valid") or 3 ("same").
        filters: F.
        classes: K.
        padding: "valid" or "same".
    Raises:
        ValueError: a shape, number or padding outside these.
    """

    def __init__(self, input_shape=(28, 28, 1), filters=8, classes=10, padding="valid"):
        super().__init__()
        p, q = pooled_size(input_shape, padding)
        check_positive("filters", filters)
        check_positive("classes", classes)
        self.conv = nn.Conv2d(input_shape[2], filters, kernel_size=3, padding=padding, bias=False)
        self.pool = nn.MaxPool2d(2)
        self.dense = nn.Linear(filters * p * q, classes)

    def forward(self, images):
        """Logits (N, K) of images (N, C, H, W)."""
        return self.dense(self.pool(self.conv(images)).flatten(1))


def train_step(model, optimizer, images, labels):
    """One update of the model's parameters.

    Args:
        images: (N, C, H, W), dtype of the model.
        labels: (N,) int64, 0 .. K-1.
    Returns:
        loss: scalar tensor, the mean cross-entropy of the batch before the update.
    """
    optimizer.zero_grad()
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()
    return loss.detach()


def pooled_size(input_shape, padding):
    """(P, Q), rows and columns after convolution and pool of an (H, W, C) image. Raises ValueError as `CNN`."""
    if padding not in ("valid", "same"):
        raise ValueError(f"padding: found {padding!r}, wanted 'valid' or 'same'")
    try:
        h, w, c = (operator.index(size) for size in input_shape)
    except (TypeError, ValueError) as error:
        raise ValueError(f"input_shape: found {input_shape!r}, wanted (H, W, C)") from error
    border = 0 if padding == "same" else 2
    least = 3 if padding == "same" else 4
    if min(h, w) < least or c < 1:
        raise ValueError(f"input_shape: found {(h, w, c)}, wanted H, W >= {least} (padding {padding!r}) and C >= 1")
    return (h - border) // 2, (w - border) // 2


def check_positive(name, number):
    """Raise ValueError unless the number is whole and 1 or more."""
    try:
        good = operator.index(number) >= 1
    except TypeError:
        good = False
    if not good:
        raise ValueError(f"{name}: found {number!r}, wanted a whole number, 1 or more")
