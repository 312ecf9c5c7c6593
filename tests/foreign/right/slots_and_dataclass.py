from dataclasses import dataclass, field

import numpy as np


@dataclass
class ConvLayer:
    in_channels: int
    out_channels: int
    weight: np.ndarray = field(init=False)

    def __post_init__(self):
        self.weight = np.random.default_rng(0).normal(size=(self.out_channels, self.in_channels, 3, 3))

    def forward(self, x: np.ndarray) -> np.ndarray:
        view = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(2, 3))
        return np.einsum("nchwij,fcij->nfhw", view, self.weight)


class DenseLayer:
    __slots__ = ("weight", "bias", "x")

    def __init__(self, in_features, out_features):
        self.weight = np.zeros((in_features, out_features))
        self.bias = np.zeros(out_features)

    def forward(self, x):
        self.x = x.reshape(len(x), -1)
        return self.x @ self.weight + self.bias
