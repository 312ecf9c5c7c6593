import numpy as np


class Conv3x3:
    # A convolution layer using 3x3 filters.

    def __init__(self, num_filters):
        self.num_filters = num_filters

        # divide by 9 to keep the initial values small
        self.filters = np.random.randn(num_filters, 3, 3) / 9

    def patches(self, image):
        '''
        Gives every 3x3 patch of the image, and where it starts.
        - image is a 2d numpy array
        '''
        height, width = image.shape
        for r in range(height - 2):
            for c in range(width - 2):
                yield r, c, image[r:r + 3, c:c + 3]

    def forward(self, input):
        '''
        Forward pass, returns a 3d array (height, width, num_filters).
        '''
        self.last_input = input
        height, width = input.shape
        output = np.zeros((height - 2, width - 2, self.num_filters))
        for r, c, patch in self.patches(input):
            output[r, c] = np.tensordot(self.filters, patch, axes=2)
        return output

    def backprop(self, d_L_d_out, learn_rate):
        '''
        - d_L_d_out is the loss gradient for this layer's outputs.
        - learn_rate is a float.
        '''
        d_L_d_filters = np.zeros(self.filters.shape)
        for r, c, patch in self.patches(self.last_input):
            d_L_d_filters += d_L_d_out[r, c][:, np.newaxis, np.newaxis] * patch

        self.filters -= learn_rate * d_L_d_filters

        # This is the first layer, nobody needs the gradient of its input.
        return None
