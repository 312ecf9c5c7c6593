# stage: conv backward
# names: filter gradient of the last window only
import numpy as np


class Conv3x3:
    def __init__(self, num_filters):
        self.num_filters = num_filters
        self.filters = np.random.randn(num_filters, 3, 3) / 9

    def forward(self, input):
        self.last_input = input
        h, w = input.shape
        out = np.zeros((h - 2, w - 2, self.num_filters))
        for i in range(h - 2):
            for j in range(w - 2):
                out[i, j] = (input[i:i + 3, j:j + 3] * self.filters).sum((1, 2))
        return out

    def backprop(self, d_L_d_out, learn_rate):
        h, w = self.last_input.shape
        for i in range(h - 2):
            for j in range(w - 2):
                region = self.last_input[i:i + 3, j:j + 3]
                d_L_d_filters = d_L_d_out[i, j].reshape(-1, 1, 1) * region
        self.filters -= learn_rate * d_L_d_filters
        return None
