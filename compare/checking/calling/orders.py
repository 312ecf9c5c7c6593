"""How the code's arrays lie: the order of their axes.

Letters, on top of the legend of the contract: I, J the rows and columns of a kernel. An activation is "NHWC" whatever
stage it comes from; the rows of the dense weights are "PQF".
"""

from dataclasses import dataclass

import numpy as np

from compare.contract import NotOfferedError

KERNEL = "IJCF"
IMAGES = "NHWC"
DENSE = "PQFK"

# The usual ones first: where data cannot tell, the first that fits is taken. I stands before J in all of them: to try
# the kernel's rows and columns in the other order would make a transposed convolution right.
KERNELS = ("FIJ", "IJF", "IJCF", "FCIJ", "FIJC", "CFIJ", "CIJF", "IJFC", "IJC", "CIJ", "IJ")
FLAT_KERNELS = (("F", "CIJ"), ("F", "IJC"), ("CIJ", "F"), ("IJC", "F"), ("F", "IJ"), ("IJ", "F"))
# Flat in one order, and kept in the shape of another: windows are taken out otherwise than the shape says. It is a
# convolution all the same.
RESHAPED = ((("CIJ", "F"), "IJCF"), (("F", "IJC"), "FCIJ"), (("F", "CIJ"), "FIJC"), (("F", "CIJ"), "IJCF"))


@dataclass(frozen=True)
class Order:
    """The order of axes of one kind of array.

    house: its letters in the order of the contract.
    axes: the code's axes; one of several letters is those joined, one of none has size 1. A letter that is missing is
        an axis that the code does not have, so that its size must be 1.
    kept: the letters of the shape that it is kept in, where that is another.
    shift: of images that the code scales itself, x / 255 - shift; None where it takes them as they are.
    """

    house: str
    axes: tuple[str, ...]
    kept: str = ""
    shift: float | None = None

    def __str__(self):
        flat = f"({', '.join('*'.join(axis) or '1' for axis in self.axes)})"
        flat += "" if self.shift is None else " of pixels from 0 to 255, which it scales itself"
        return f"{flat} in the shape ({', '.join(self.kept)})" if self.kept else flat

    @property
    def letters(self):
        """All letters that the code has, in its order."""
        return "".join(self.axes)

    def shape(self, house_shape):
        """The shape in the code of an array that is of `house_shape` in the contract; NotOfferedError if none."""
        sizes = dict(zip(self.house, house_shape, strict=True))
        for letter, size in sizes.items():
            if letter not in self.letters and size != 1:
                raise NotOfferedError(f"arrays {self} have no axis {letter}: {size} asked for, only 1 is possible")
        return tuple(int(np.prod([sizes[letter] for letter in axis])) for axis in self.kept or self.axes)

    def native(self, x):
        """A fresh contiguous copy of x, of the contract's shape, as the code wants it."""
        shape = self.shape(x.shape)
        x = x if self.shift is None else (x + x.dtype.type(self.shift)) * x.dtype.type(255)
        kept = [letter for letter in self.house if letter in self.letters]
        x = x.reshape([size for letter, size in zip(self.house, x.shape, strict=True) if letter in kept])
        return np.array(x.transpose([kept.index(letter) for letter in self.letters]).reshape(shape), order="C")

    def back(self, y, house_shape):
        """y of the code in the contract's order. Its sizes may differ from `house_shape` where no axes are joined.

        Raises:
            ValueError: another number of axes, or joined axes of another size.
        """
        if y.ndim != len(self.kept or self.axes):
            raise ValueError(f"found an array of shape {y.shape}, wanted axes {self}")
        if any(len(axis) != 1 for axis in self.axes):
            sizes = dict(zip(self.house, house_shape, strict=True))
            y = y.reshape([sizes[letter] for letter in self.letters])
        y = y.transpose([self.letters.index(letter) for letter in self.house if letter in self.letters])
        missing = [number for number, letter in enumerate(self.house) if letter not in self.letters]
        return np.expand_dims(y, tuple(missing))


def kernel_orders(shape, kernel):
    """The `Order`s that a kernel array of this shape may have, the usual ones first; kernel: (I, J, C, F)."""
    orders = [Order(KERNEL, tuple(axes)) for axes in (*KERNELS, *FLAT_KERNELS)]
    orders += [Order(KERNEL, axes, kept) for axes, kept in RESHAPED if kernel[2] > 1]  # else they are the same
    return [order for order in orders if _fits(order, shape, kernel)]


def dense_orders(shape, rows, classes, channels_first):
    """The same for dense weights; `rows` is (P, Q, F). Any order of flattening is right in code that keeps to it."""
    rows_in = ("FPQ", "PQF") if channels_first else ("PQF", "FPQ")
    orders = [Order(DENSE, axes) for joined in rows_in for axes in ((joined, "K"), ("K", joined))]
    return [order for order in orders if _fits(order, shape, (*rows, classes))]


def bias_orders(shape, size):
    """The same for a bias (size,), which may have axes of 1 beside."""
    return [order for axes in (("K",), ("", "K"), ("K", "")) if _fits(order := Order("K", axes), shape, (size,))]


def _fits(order, shape, house_shape):
    try:
        return order.shape(house_shape) == tuple(shape)
    except NotOfferedError:
        return False


def _pairs(letters_in, letters_out, one_image, house_in=IMAGES, house_out=IMAGES):
    return (one_image, Order(house_in, tuple(letters_in)), Order(house_out, tuple(letters_out)))


def flows(stage, channels_first=False):
    """(one image at a time, order of the input, order of the output) that a stage may have, the usual ones first."""
    if stage == "conv":
        batch = [_pairs(i, o, False) for i, o in (("NHWC", "NHWC"), ("NCHW", "NCHW"), ("NHW", "NHWC"), ("NHW", "NCHW"))]
        one = [("HW", "HWC"), ("HW", "CHW"), ("HWC", "HWC"), ("CHW", "CHW"), ("NHWC", "NHWC"), ("NCHW", "NCHW")]
        mixed = [_pairs(i, o, b) for i, o, b in (("NHWC", "NCHW", False), ("HWC", "CHW", True), ("CHW", "HWC", True))]
        last = [_pairs("HWCN", "HWCN", False)]
        maps = [_pairs(i, o, b) for i, o, b in (("NHWC", "NHW", False), ("NHW", "NHW", False), ("HW", "HW", True))]
        return [*batch, *(_pairs(i, o, True) for i, o in one), *mixed, *last, *maps, _pairs("HWC", "HW", True)]
    if stage == "pool":
        several = [("NHWC", False), ("NCHW", False), ("HWC", True), ("CHW", True), ("NHWC", True), ("NCHW", True)]
        several += [("HWCN", False), ("NHW", False), ("HW", True)]
        return [_pairs(axes, axes, one_image) for axes, one_image in several]
    logits: list = [(False, ("N",), ("N", "K")), (True, (), ("K",)), (True, ("N",), ("N", "K"))]
    if stage == "probabilities":
        found = [(one_image, Order("NK", out), Order("NK", out)) for one_image, _, out in logits]
        return [*found, *((one, Order("NK", ("K", "N")), Order("NK", ("K", "N"))) for one in (False, True))]
    rows = tuple("FPQ" if channels_first else "PQF")
    found = []
    for one_image, batch, out in logits:
        for axes in (rows, ("".join(rows),)):
            found.append((one_image, Order("NPQF", (*batch, *axes)), Order("NK", out)))
    columns = [(one, Order("NPQF", ("".join(rows), "N")), Order("NK", ("K", "N"))) for one in (False, True)]
    return [*found, *columns]


def whole_flows():
    """The same for a whole model: images in, (N, K) out."""
    ins = [("NHWC", False), ("NCHW", False), ("NHW", False), ("HW", True), ("HWC", True), ("CHW", True)]
    ins += [("NHWC", True), ("NCHW", True), ("NHW", True)]
    outs = (("N", "K"), ("K",), ("K", "N"))
    return [
        (one, Order(IMAGES, tuple(axes), shift=shift), Order("NK", out))
        for shift in (None, 0.5, 0.0)
        for axes, one in ins
        for out in outs
        if one or out != ("K",)
    ]


def kernel_sizes(shape, size=3):
    """(C, F) of an array that can be nothing but a kernel of 3x3, axes in the usual order; None for another."""
    window = [number for number, each in enumerate(shape) if each == size][-2:]
    rest = [each for number, each in enumerate(shape) if number not in window]
    if len(shape) == 3 and len(rest) == 1:
        return (1, rest[0])
    if len(shape) == 4 and len(rest) == 2:
        return (rest[0], rest[1]) if shape[:2] == (size, size) else (rest[1], rest[0])
    return None
