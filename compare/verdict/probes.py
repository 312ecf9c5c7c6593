"""The cases on which implementations are compared: probes that can fail.

Each is one batch with its own parameters. A probe is made in float64 and rounded to the dtype under test before
anything is computed, so that every implementation and the arbiter start from the same bits.
"""

import functools
import zlib
from dataclasses import dataclass, field, replace

import numpy as np

from compare import params
from compare.graph import AXES
from compare.verdict import arbiter, definition, precision

DTYPES = precision.DTYPES
FEW = ("digits", "ties")  # enough to tell whether what is about to be timed is the same network
LEARNING_RATE = 0.1
PATH_STEPS = 100
PATH_BATCH = 8


@dataclass(frozen=True)
class Probe:
    """One batch: images (N, H, W, C) and labels (N,), parameters, and what each stage alone is given.

    `inputs` holds the reference's conv (N, H', W', F), pool (N, P, Q, F) and logits (N, K), and random upstream
    gradients `up_conv`, `up_pool`, `up_logits`, `up_loss` (a scalar): random, since ones cancel in the softmax.
    `by_definition` marks the small ones that are judged by plain loops instead of the arbiter. `exact` marks those with
    so few bits in images and weights that conv, pool and logits come out exact in float32, in any order of the sums:
    there a tie is a tie. `coarse` names what all numbers are rounded to, where their arrays do not.
    """

    name: str
    why: str
    images: np.ndarray
    labels: np.ndarray
    parameters: dict
    padding: str = "valid"
    by_definition: bool = False
    exact: bool = False
    inputs: dict = field(default_factory=dict)
    coarse: str = ""

    @property
    def geometry(self):
        """Arguments of the network's constructor, but for dtype and seed."""
        return {
            "input_shape": tuple(map(int, self.images.shape[1:])),
            "filters": self.parameters["conv_weight"].shape[3],
            "classes": len(self.parameters["dense_bias"]),
            "padding": self.padding,
        }

    @property
    def dtype(self):
        """Name of the dtype of all its numbers."""
        return self.coarse or self.images.dtype.name

    def shape_of(self, quantity):
        """The shape that a quantity, or the gradient with respect to it, has."""
        n, h, w, c = self.images.shape
        filters, classes = self.parameters["conv_weight"].shape[3], len(self.parameters["dense_bias"])
        border = 0 if self.padding == "same" else 2
        y, x = h - border, w - border
        p, q = y // 2, x // 2
        sizes = {"N": n, "H": h, "W": w, "C": c, "F": filters, "K": classes, "Y": y, "X": x, "P": p, "Q": q, "3": 3}
        sizes["R"] = p * q * filters
        return tuple(sizes[axis] for axis in AXES[quantity.removeprefix("d_")])

    def earlier_batch(self):
        """The images and labels that a network is given first: state that leaks into the next call shows there."""
        return earlier_batch(self.images, self.labels, self.exact)

    def earlier_stages(self):
        """What each stage alone is given first, named as what a pass holds."""
        names = ("conv", "pool", "logits", "up_conv", "up_pool", "up_logits")
        found = {name.replace("up_", "d_"): earlier(self.inputs[name]).astype(np.float64) for name in names}
        return {**found, "images": earlier(self.images).astype(np.float64), "labels": self.labels}

    @property
    def reference(self):
        """The module of stage functions that judges this probe."""
        return definition if self.by_definition else arbiter

    def rounded(self, dtype):
        """The same probe with every number rounded to `dtype`; its stage inputs are then computed from those."""
        to = functools.partial(precision.rounded, dtype=dtype)
        images = to(self.images)
        parameters = {name: to(value) for name, value in self.parameters.items()}
        rng = np.random.default_rng(zlib.crc32(self.name.encode()))
        exact = {name: value.astype(np.float64) for name, value in parameters.items()}
        conv = to(self.reference.conv(images.astype(np.float64), exact["conv_weight"], self.padding))
        pool = to(self.reference.pool(conv))
        logits = to(self.reference.dense(pool.astype(np.float64), exact["dense_weight"], exact["dense_bias"]))
        inputs = {
            "conv": conv,
            "pool": pool,
            "logits": logits,
            "up_conv": to(rng.standard_normal(conv.shape)),
            "up_pool": to(rng.standard_normal(pool.shape)),
            "up_logits": to(rng.standard_normal(logits.shape)),
            "up_loss": to(rng.standard_normal(())),
        }
        found = {"images": images, "labels": self.labels.copy(), "parameters": parameters, "inputs": inputs}
        return replace(self, **found, coarse="" if images.dtype == dtype else dtype)


@dataclass(frozen=True)
class Path:
    """100 steps of plain SGD from given parameters: images (S, B, H, W, C), labels (S, B)."""

    name: str
    images: np.ndarray
    labels: np.ndarray
    parameters: dict
    padding: str = "valid"


def earlier(x):
    """Another input of the same shape, exact where x is: rows, or classes, in the other order, and half as large."""
    return x[:, ::-1] * x.dtype.type(0.5)


def earlier_batch(images, labels, same_size):
    """Another batch: of the same size, or one image smaller, since an array kept for the wrong size shows as well."""
    count = len(images) if same_size else max(1, len(images) - 1)
    return earlier(images)[:count], labels[::-1][:count]


def scaled(images):
    """uint8 pixels (N, H, W) or (N, H, W, C) -> image / 255 - 0.5, (N, H, W, C) float64."""
    images = images[..., None] if images.ndim == 3 else images
    return images / 255 - 0.5


def random_probe(name, why, shape, filters, classes, padding, rng, **more):
    """A `Probe` of random images `shape`, (N, H, W, C), labels and parameters, numbers of all bits."""
    images = rng.uniform(-0.5, 0.5, shape)
    images *= np.linspace(0.5, 2.0, shape[3])  # channels that cannot be mistaken for each other
    parameters = params.random_parameters(shape[1:], filters, classes, padding, rng)
    labels = rng.integers(0, classes, shape[0])
    return Probe(name, why, images, labels, parameters, padding, **more)


def make_probes(dataset, seed=0):
    """All probes: real digits first, then cases made so that a wrong network cannot pass.

    Args:
        dataset: `compare.images.data.Dataset`; images of any H, W >= 4.
        seed: of the weights and the drawn digits.
    """
    rng = np.random.default_rng([seed, 1])
    chosen = rng.choice(len(dataset.train_images), size=min(32, len(dataset.train_images)), replace=False)
    digits, labels = scaled(dataset.train_images[chosen]), dataset.train_labels[chosen]
    shape = digits.shape[1:]
    start = params.start_parameters(shape, seed=seed)
    same = params.start_parameters(shape, padding="same", seed=seed + 1)
    flat = np.round(rng.uniform(-0.5, 0.5, (3, 12, 10, 1)), 1)
    flat[:, :, :6] = -0.5
    flat[0] = 0.25
    flat_parameters = params.random_parameters((12, 10, 1), 4, 5, "valid", rng)
    large = random_probe("large-logits", "logits of 1e4 beside rows of about 1", (4, 10, 9, 1), 4, 6, "valid", rng)
    large.images[:2] *= 1e4 / 2
    tied = np.round(rng.uniform(-0.5, 0.5, (2, 6, 8, 2)), 1)
    tied[:, :, :4] = 0.5
    return [
        Probe("digits", "32 real digits, start weights", digits, labels, start),
        Probe("digits-same", "8 real digits, padding same", digits[:8], labels[:8], same, "same"),
        Probe("single", "one real digit: N = 1", digits[:1], labels[:1], start),
        Probe("ties", "flat regions: most windows tie", flat, np.array([0, 4, 2]), flat_parameters),
        large,
        random_probe("rectangle", "H != W, both odd, C = 3, N = 5", (5, 11, 8 + 1, 3), 5, 7, "valid", rng),
        random_probe("colour-same", "C = 3, padding same, odd width", (3, 8, 7, 3), 4, 6, "same", rng),
        random_probe("definition", "judged by plain loops", (3, 7, 6, 2), 3, 4, "valid", rng, by_definition=True),
        random_probe("definition-same", "judged by plain loops", (2, 5, 6, 3), 2, 3, "same", rng, by_definition=True),
        Probe(
            "definition-ties",
            "ties, judged by plain loops",
            tied,
            np.array([1, 0]),
            params.random_parameters((6, 8, 2), 3, 3, "valid", rng),
            by_definition=True,
        ),
    ]


def make_path(dataset, seed=0, steps=PATH_STEPS):
    """Batches of real digits in random order for the training path."""
    rng = np.random.default_rng([seed, 2])
    chosen = rng.integers(0, len(dataset.train_images), (steps, PATH_BATCH))
    images = np.stack([scaled(dataset.train_images[batch]) for batch in chosen])
    return Path("digits", images, dataset.train_labels[chosen], params.start_parameters(images.shape[2:], seed=seed))
