"""Mistakes with what goes in: images and their scale."""

import numpy as np

from compare.verdict.defects.defect import at


def _scaled(turn, in_place=False):
    """A pass begins with turn(images) instead of the images."""

    def change(network):
        def turned(images):
            return np.array(turn(images), images.dtype, order="C")

        network.scale = turned
        if in_place:
            network.keep = turned

    return change


# fmt: off
DEFECTS = at(
    "input",
    ("images scaled twice", _scaled(lambda x: x / 255 - 0.5),
     "a pass sees images of about -0.5 everywhere; each stage alone is right", "scale by 255 and shift once"),
    ("images not shifted", _scaled(lambda x: x + 0.5),
     "a pass sees images from 0 to 1; each stage alone is right", "subtract 0.5 after dividing by 255"),
    ("images not scaled", _scaled(lambda x: (x + 0.5) * 255),
     "a pass sees images from 0 to 255; each stage alone is right", "divide by 255 and subtract 0.5"),
    ("images not scaled, only shifted", _scaled(lambda x: (x + 0.5) * 255 - 0.5),
     "a pass sees images from -0.5 to 254.5; each stage alone is right", "divide by 255 before subtracting 0.5"),
    ("images scaled to -1 .. 1", _scaled(lambda x: 2 * x),
     "a pass sees images of twice the contrast; each stage alone is right", "image / 255 - 0.5, not image / 127.5 - 1"),
    ("images divided by 256", _scaled(lambda x: (x + 0.5) * 255 / 256 - 0.5),
     "a pass sees images a little too dark; each stage alone is right", "the brightest pixel is 255: divide by that"),
    ("images inverted", _scaled(lambda x: -x),
     "a pass sees dark on light; each stage alone is right", "the background of these digits is 0"),
    ("rows and columns of the images exchanged", _scaled(lambda x: x.swapaxes(1, 2)),
     "a pass sees images that lie on their side; each stage alone is right",
     "rows come first in the file: reshape to (N, H, W)"),
    ("images scaled once more, in place", _scaled(lambda x: x / 255 - 0.5, in_place=True),
     "the caller's images are changed, so each epoch sees others",
     "make a new array: images / 255 - 0.5, not images /= 255"),
)
# fmt: on
