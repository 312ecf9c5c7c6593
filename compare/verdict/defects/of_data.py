"""Mistakes with what goes in: images, their scale, their precision."""

import numpy as np

from compare.verdict.defects.defect import Defect, wrap

STAGE = "input"


def _scaled(turn, in_place=False):
    """A pass begins with turn(images) instead of the images."""

    def change(network):
        def turned(images):
            return turn(images).astype(images.dtype)

        network.scale = turned
        if in_place:
            network.keep = turned

    return change


def _lowered(network):
    def conv(right, x, w, padding):
        y = right(x, w, padding)
        return y.astype(np.float32).astype(y.dtype)

    wrap(network, "conv", conv)


DEFECTS = (
    Defect(
        "images scaled twice",
        STAGE,
        "a pass sees images of about -0.5 everywhere; each stage alone is right",
        "scale by 255 and shift once",
        _scaled(lambda x: x / 255 - 0.5),
    ),
    Defect(
        "images not shifted",
        STAGE,
        "a pass sees images from 0 to 1; each stage alone is right",
        "subtract 0.5 after dividing by 255",
        _scaled(lambda x: x + 0.5),
    ),
    Defect(
        "images not scaled",
        STAGE,
        "a pass sees images from 0 to 255; each stage alone is right",
        "divide by 255 and subtract 0.5",
        _scaled(lambda x: (x + 0.5) * 255),
    ),
    Defect(
        "images not scaled, only shifted",
        STAGE,
        "a pass sees images from -0.5 to 254.5; each stage alone is right",
        "divide by 255 before subtracting 0.5",
        _scaled(lambda x: (x + 0.5) * 255 - 0.5),
    ),
    Defect(
        "images scaled once more, in place",
        STAGE,
        "the caller's images are changed, so each epoch sees others",
        "make a new array: images / 255 - 0.5, not images /= 255",
        _scaled(lambda x: x / 255 - 0.5, in_place=True),
    ),
    Defect(
        "precision lost in the convolution",
        "conv forward",
        "float64 results hold the digits of float32 only",
        "keep one dtype all the way; look for an array allocated in another",
        _lowered,
    ),
)
