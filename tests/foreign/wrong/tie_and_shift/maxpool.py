import numpy as np


class MaxPool2:
    def iterate_regions(self, image):
        h, w, _ = image.shape
        return ((image[2 * i:2 * i + 2, 2 * j:2 * j + 2], i, j) for i in range(h // 2) for j in range(w // 2))

    def forward(self, input):
        self.last_input = input
        h, w, num_filters = input.shape
        output = np.zeros((h // 2, w // 2, num_filters))
        for im_region, i, j in self.iterate_regions(input):
            output[i, j] = np.amax(im_region, axis=(0, 1))
        return output

    def backprop(self, d_L_d_out):
        d_L_d_input = np.zeros(self.last_input.shape)
        for im_region, i, j in self.iterate_regions(self.last_input):
            mask = im_region == np.amax(im_region, axis=(0, 1))
            d_L_d_input[2 * i:2 * i + 2, 2 * j:2 * j + 2] = mask * d_L_d_out[i, j]
        return d_L_d_input
