# stage: conv forward
# names: last row and column of the output left at 0
import numpy as np


class Convolution:
    def __init__(self, n_filters):
        self.kernel = np.random.normal(0, .1, (3, 3, n_filters))

    def feedforward(self, img):
        self.img = img
        out = np.zeros((img.shape[0] - 2, img.shape[1] - 2, self.kernel.shape[2]))
        for y in range(img.shape[0] - 3):
            for x in range(img.shape[1] - 3):
                out[y, x] = np.einsum('ij,ijf', img[y:y + 3, x:x + 3], self.kernel)
        return out

    def backpropagate(self, delta, eta):
        grad = np.zeros_like(self.kernel)
        for y in range(delta.shape[0]):
            for x in range(delta.shape[1]):
                grad += self.img[y:y + 3, x:x + 3, None] * delta[y, x]
        self.kernel -= eta * grad
