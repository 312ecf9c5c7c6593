"""The network as an nn.Module, and how it is trained."""

import torch
import torch.nn.functional as F  # noqa: N812 - the name that PyTorch's own documentation uses
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def scale(pixels):
    """uint8 pixels (N, H, W, C) -> images (N, C, H, W), image / 255 - 0.5 in PyTorch's default dtype."""
    return pixels.permute(0, 3, 1, 2).to(torch.get_default_dtype()) / 255 - 0.5


class CNN(nn.Module):
    """Conv 3x3 without bias, max-pool 2x2, dense: (N, C, H, W) images in, (N, K) logits out."""

    def __init__(self, input_shape=(28, 28, 1), filters=8, classes=10, padding="valid"):
        super().__init__()
        h, w, channels = input_shape
        border = 0 if padding == "same" else 2
        inputs = filters * ((h - border) // 2) * ((w - border) // 2)
        self.conv = nn.Conv2d(channels, filters, kernel_size=3, padding=padding, bias=False)
        self.pool = nn.MaxPool2d(2)
        self.dense = nn.Linear(inputs, classes)

    def forward(self, images):
        """Logits (N, K) of images (N, C, H, W)."""
        return self.dense(self.pool(self.conv(images)).flatten(1))


def train_step(model, optimizer, images, labels):
    """One update. Labels are (N,) int64; returns the loss before it, a scalar: mean cross-entropy of the batch."""
    optimizer.zero_grad()
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()
    return loss.detach()


def fit(model, optimizer, images, labels, epochs=3, batch_size=32):
    """Train on all images, in an order drawn anew for each epoch from PyTorch's generator."""
    for _ in range(epochs):
        for batch in DataLoader(TensorDataset(images, labels), batch_size, shuffle=True):
            train_step(model, optimizer, *batch)
