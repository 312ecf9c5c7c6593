# stage: conv forward
# names: kernel flipped in the forward pass
import numpy as np


class Conv2d:
    """NCHW. "Convolution" means that the kernel is turned, says the textbook. The backward pass forgot about it."""

    def __init__(self, in_channels, out_channels):
        self.weight = np.random.randn(out_channels, in_channels, 3, 3) * np.sqrt(2 / (9 * in_channels))

    def forward(self, x):
        self.x = x
        turned = self.weight[:, :, ::-1, ::-1]
        _, _, H, W = x.shape
        out = 0
        for i in range(3):
            for j in range(3):
                out = out + np.einsum("nchw,fc->nfhw", x[:, :, i:i + H - 2, j:j + W - 2], turned[:, :, i, j])
        return out

    def backward(self, grad_out):
        h, w = grad_out.shape[2:]
        self.grad_weight = np.zeros_like(self.weight)
        grad_x = np.zeros_like(self.x)
        for i in range(3):
            for j in range(3):
                patch = self.x[:, :, i:i + h, j:j + w]
                self.grad_weight[:, :, i, j] = np.einsum("nfhw,nchw->fc", grad_out, patch)
                grad_x[:, :, i:i + h, j:j + w] += np.einsum("nfhw,fc->nchw", grad_out, self.weight[:, :, i, j])
        return grad_x
