"""The probes of `compare.check`: made without a data set, and most of them exact, so that a tie is a tie."""

import functools
from dataclasses import replace

import numpy as np

from compare import params
from compare.verdict import arbiter
from compare.verdict.probes import Path, Probe, earlier, random_probe

LARGE = ("large-logits", "large-known")  # sizes that all can take


def _few_bits(rng, levels, unit, shape):
    """Multiples of `unit`, at most `levels` of it and never 0: so few bits that sums of products stay exact."""
    return rng.integers(1, levels + 1, shape) * rng.choice([-unit, unit], shape)


def _exact(name, why, shape, filters, classes, padding, rng, flat=0):
    """Few bits everywhere, and `flat` columns on the left that are all background, so that windows there tie."""
    images = _few_bits(rng, 8, 1 / 16, shape)
    images[:, :, :flat] = -0.5
    rows = params.random_parameters(shape[1:], filters, classes, padding, rng)["dense_weight"].shape[0]
    parameters = {
        "conv_weight": _few_bits(rng, 8, 1 / 8, (3, 3, shape[3], filters)),
        "dense_weight": _few_bits(rng, 4, 2.0 ** -np.ceil(np.log2(2 * np.sqrt(rows)) + 1), (rows, classes)),
        "dense_bias": _few_bits(rng, 8, 1 / 16, (classes,)),
    }
    return Probe(name, why, images, rng.permutation(np.arange(shape[0]) % classes), parameters, padding, exact=True)


def _strokes(count, rng):
    """Drawings of MNIST's size: strokes of full and half brightness on a flat background, scaled."""
    images = np.full((count, 28, 28, 1), -0.5)
    for image in images:
        for _ in range(4):
            row, column, length = rng.integers(4, 18, 2).tolist() + [int(rng.integers(4, 8))]
            if rng.random() < 0.5:
                image[row : row + 2, column : column + length] = rng.choice([0.5, 0.25, -0.125])
            else:
                image[row : row + length, column : column + 2] = rng.choice([0.5, 0.25, -0.125])
    return images


def _large(first, filters, classes, rng):
    """Two rows of huge logits beside two of about 1, and a huge one alone: two probes.

    The huge ones lie so far from each other and from 0 that exp overflows, or gives 0, in float32 where it does in
    float64: an implementation without the right shift gives NaN at the same places in both. In the first their labels
    have probability 0, in the second 1, in the earlier batch too: what is given the gradient of the probabilities,
    -1 / p, can be asked there alone. Which of the two is shown does not hang on the seed.
    """
    why = "logits of 1e5 beside rows of about 1"
    beside = _exact(LARGE[0], why, (4, *first), filters, classes, "valid", rng)
    beside.images[:2] *= 2.0**18
    weight, bias = beside.parameters["dense_weight"], beside.parameters["dense_bias"]
    bias[:] = 0  # else these sums would not be exact

    def logits(images):
        pool = arbiter.pool(arbiter.conv(images, beside.parameters["conv_weight"], "valid"))
        return lambda weight: arbiter.dense(pool, weight, bias)

    of_both, of_first, of_earlier = (
        logits(x) for x in (beside.images[:2], beside.images[:1], earlier(beside.images[:1]))
    )
    while _gap(of_both(weight)) < 1000:
        weight[:] = rng.permuted(weight)
    largest = of_both(weight).argmax(axis=1)
    beside.labels[:2] = np.where(beside.labels[:2] == largest, (largest + 1) % classes, beside.labels[:2])
    own = rng.spawn(1)[0]  # what comes after this probe is drawn as without it
    while _gap(of_first(weight)) < 1000 or of_first(weight).argmax() != of_earlier(weight).argmax():
        weight = own.permuted(weight)
    known = {
        "name": LARGE[1],
        "why": "logits of 1e5, the label at the largest",
        "images": beside.images[:1],
        "labels": of_first(weight).argmax(axis=1),
        "parameters": {**beside.parameters, "dense_weight": weight},
    }
    return [beside, replace(beside, **known)]


def _gap(logits):
    """The least distance between two logits, or one and 0."""
    return np.diff(np.sort(np.append(logits, 0))).min()


MNIST = ((28, 28, 1), 8, 10)  # image, filters, classes: what all code can take
SMALL = ((12, 10, 1), 4, 6)


def batches(seed=0, geometry=MNIST):
    """The cases of `compare.check`, quick and without a data set: the size of MNIST first, which all code can take.

    Most are exact (see `Probe`), so that a tie is a tie in every dtype.

    Args:
        seed: of all numbers.
        geometry: of the first, of those with large logits, and of the path: MNIST, or SMALL where all can take it.
    """
    rng = np.random.default_rng([seed, 3])
    first, filters, classes = geometry
    size = _exact(
        "mnist-size", "28x28, flat background: most windows tie", (2, *first), filters, classes, "valid", rng, 5
    )
    if geometry == MNIST:
        size.images[:] = _strokes(2, rng)
    large = _large(first, filters, classes, rng)
    return [
        size,
        *large,
        random_probe("random", "H != W, both even, numbers of all bits", (3, 8, 10, 1), 4, 6, "valid", rng),
        _exact("odd", "H != W, both odd, flat columns", (3, 9, 13, 1), 4, 6, "valid", rng, flat=6),
        _exact("one-image", "N = 1", (1, 8, 9, 1), 3, 5, "valid", rng, flat=4),
        _exact("channels", "C = 3, N = 4", (4, 10, 8, 3), 5, 7, "valid", rng, flat=4),
        _exact("same", "padding same, C = 2, flat columns", (3, 7, 8, 2), 5, 4, "same", rng, flat=4),
        _exact("same-grey", "padding same, C = 1", (2, 8, 9, 1), 4, 5, "same", rng, flat=4),
        # for code with limits: one filter, a square map, one whose half is whole
        _exact("one-filter", "28x28, C = F = 1", (2, 28, 28, 1), 1, 5, "valid", rng, flat=8),
        _exact("same-even", "padding same, 28x28", (2, 28, 28, 1), 8, 10, "same", rng, flat=8),
    ]


def path(seed=0, geometry=MNIST, steps=6):
    """A short training path for `compare.check`: noise, in which no window ties once the weights have moved."""
    rng = np.random.default_rng([seed, 4])
    shape, filters, classes = geometry
    images = rng.uniform(-0.5, 0.5, (steps, 2, *shape))
    start = params.start_parameters(shape, filters, classes, seed=seed)
    return Path("steps", images, rng.integers(0, classes, (steps, 2)), start)


@functools.cache
def cases(seed):
    """The probes of `check`, a list of `Probe`, and its training path, a `Path`."""
    return batches(seed), path(seed)
