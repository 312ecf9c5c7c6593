# stage: layer backward
# names: none
# says: UpSampling: the gradient of its input
# says: 0.25 times as large as it should be
import numpy as np


class UpSampling:
    def forward(self, x):
        return x.repeat(2, axis=1).repeat(2, axis=2)

    def backward(self, grad):
        n, h, w, c = grad.shape
        return grad.reshape(n, h // 2, 2, w // 2, 2, c).mean(axis=(2, 4))
