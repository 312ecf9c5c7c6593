# says: PoolingLayer is the pooling, a batch at a time

import numpy as np


class PoolingLayer:
    """Its window is told by height and width; the images come back one after the other, in a list."""

    def __init__(self, height, width, stride):
        self.h, self.w, self.stride = height, width, stride

    def forward(self, inputs):
        self.inputs = inputs
        n, c, rows, cols = inputs.shape
        out = np.zeros((n, c, (rows - self.h) // self.stride + 1, (cols - self.w) // self.stride + 1))
        for i in range(out.shape[2]):
            for j in range(out.shape[3]):
                y, x = i * self.stride, j * self.stride
                out[:, :, i, j] = inputs[:, :, y : y + self.h, x : x + self.w].max(axis=(2, 3))
        return out

    def backward(self, dvalues):
        back = []
        for image, d in zip(self.inputs, dvalues):
            dx = np.zeros_like(image)
            for c, i, j in np.ndindex(d.shape):
                y, x = i * self.stride, j * self.stride
                window = image[c, y : y + self.h, x : x + self.w]
                a, b = divmod(int(window.argmax()), window.shape[1])
                dx[c, y + a, x + b] += d[c, i, j]
            back.append(dx)
        return back
