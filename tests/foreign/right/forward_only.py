import numpy as np


def conv3x3(image, kernel):
    """Slide each 3x3 kernel over a grey image. image: (H, W); kernel: (F, 3, 3). Returns (H - 2, W - 2, F)."""
    height, width = image.shape
    result = np.zeros((height - 2, width - 2, kernel.shape[0]))
    for f in range(kernel.shape[0]):
        for dy in range(3):
            for dx in range(3):
                result[:, :, f] += kernel[f, dy, dx] * image[dy:dy + height - 2, dx:dx + width - 2]
    return result
