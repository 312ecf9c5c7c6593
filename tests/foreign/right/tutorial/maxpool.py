import numpy as np


class MaxPool2:
    # A max pooling layer with a pool size of 2.

    def regions(self, image):
        h, w, _ = image.shape
        for i in range(h // 2):
            for j in range(w // 2):
                yield image[2 * i:2 * i + 2, 2 * j:2 * j + 2], i, j

    def forward(self, input):
        self.last_input = input
        h, w, num_filters = input.shape
        output = np.zeros((h // 2, w // 2, num_filters))
        for region, i, j in self.regions(input):
            output[i, j] = np.amax(region, axis=(0, 1))
        return output

    def backprop(self, d_L_d_out):
        d_L_d_input = np.zeros(self.last_input.shape)
        num_filters = d_L_d_out.shape[2]
        for region, i, j in self.regions(self.last_input):
            # only the first of equal maxima gets the gradient
            first = region.reshape(4, num_filters).argmax(axis=0)
            rows, cols = np.divmod(first, 2)
            d_L_d_input[2 * i + rows, 2 * j + cols, np.arange(num_filters)] = d_L_d_out[i, j]
        return d_L_d_input
