# stage: conv forward
# names: kernel flipped, forward and backward
"""One grey image at a time, a true convolution as in signal processing."""
import numpy as np


def convolve_valid(image, kernel):
    kernel = np.rot90(kernel, 2)
    kh, kw = kernel.shape
    h, w = image.shape
    out = np.zeros((h - kh + 1, w - kw + 1))
    for r in range(kh):
        for c in range(kw):
            out += kernel[r, c] * image[r:r + out.shape[0], c:c + out.shape[1]]
    return out


class ConvLayer:
    def __init__(self, num_kernels):
        self.kernels = np.random.randn(num_kernels, 3, 3)

    def forward(self, image):
        self.image = image
        return np.dstack([convolve_valid(image, kernel) for kernel in self.kernels])

    def backward(self, delta, learning_rate):
        grad = np.zeros_like(self.kernels)
        for k in range(len(self.kernels)):
            for r in range(3):
                for c in range(3):
                    part = self.image[r:r + delta.shape[0], c:c + delta.shape[1]]
                    grad[k, 2 - r, 2 - c] = (part * delta[:, :, k]).sum()
        self.kernels -= learning_rate * grad
