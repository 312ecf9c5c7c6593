# stage: conv forward
# status: raised
# never: Since axis is
import numpy as np


class Conv3x3:
    def __init__(self, num_filters):
        self.filters = np.random.randn(num_filters, 3, 3)

    def forward(self, image):
        view = np.lib.stride_tricks.sliding_window_view(image, (3, 3))
        out = np.einsum("hwij,fij->hwf", view, self.filters)
