"""What cannot work is refused before it runs: a setting out of range, images too small, memory that is not there.

The needs are in bytes, about what is held at once: what just fits is let through.
"""

from compare.images import data
from numpy_cnn.checks import parameter_shapes

LEAST = 4  # rows and columns of an image: fewer leave the pool nothing
THREADS = 1024
SEED = 2**31 - 1  # what every framework takes for one
RUNS = 10_000  # seeds, rounds, samples
FILTERS, CLASSES = 8, 10
DIGITS = 32  # that parity judges together
PREDICTED = 256  # test images at a time
BATCHES = 4  # different batches that take turns in timing, so that no input is always in the cache


def check_whole(name, value, least=1, most=None):
    """Raise ValueError unless `value` is a whole number from `least` to `most`; None for no end."""
    if not (isinstance(value, int) and value >= least and (most is None or value <= most)):
        wanted = f"{least:,} or more" if most is None else f"{least:,} to {most:,}"
        raise ValueError(f"{name}: found {value!r}, wanted a whole number of {wanted}")


def load(source):
    """`data.load`, of images that the network can take.

    Raises:
        ValueError: also for images that are too small.
    """
    dataset = data.load(source)
    h, w = dataset.train_images.shape[1:3]
    if min(h, w) < LEAST:
        raise ValueError(f"{dataset.name}: found images of {h} x {w} pixels, wanted {LEAST} x {LEAST} or larger")
    return dataset


def check_memory(what, needed):
    """Raise ValueError where `needed` bytes are more than this machine has left; `what` begins the message."""
    import psutil  # here alone: `check` needs NumPy and click, and no more

    here = psutil.virtual_memory().available
    if needed > here:
        raise ValueError(
            f"{what}: found a need of about {needed / 1e9:,.1f} GB of memory, wanted at most the {here / 1e9:,.1f} GB "
            "that are free here"
        )


def parity_need(dataset, dtypes, cells=1):
    """Of judging the digits, 3,000 bytes a pixel and dtype, while other `cells` hold 1,200 each; and of the path.

    2,900 and 1,200 were measured (100 x 100 pixels, one implementation and two).
    """
    from compare.verdict.probes import PATH_BATCH, PATH_STEPS

    digits = min(DIGITS, len(dataset.train_images))
    held = 3_000 + 1_200 * (cells - 1)
    return _pixels(dataset) * (held * digits * len(dtypes) + 3 * 8 * PATH_STEPS * PATH_BATCH)


def training_need(dataset, batch_size):
    """Of one training: all pixels as uint8, float64 and float32, the weights, and one step, or one prediction."""
    pixels, count = _pixels(dataset), len(dataset.train_images)
    predicted = min(PREDICTED, len(dataset.test_images))
    return 13 * pixels * count + max(_step(dataset, min(batch_size, count)), 4 * predicted * pixels * (3 + 2 * FILTERS))


def timing_need(dataset, batch_size):
    """Of timing one batch size: the batches that take turns, with the places that they come from, and one step."""
    pixels = _pixels(dataset)
    return BATCHES * batch_size * (4 * pixels + 8) + _step(dataset, batch_size)


def weights_need(input_shape, filters, classes, padding, dtype):
    """Of weights that go from file to file: as read, as held by a model, and as written."""
    shapes = parameter_shapes(input_shape, filters, classes, padding)
    itemsize = 8 if dtype == "float64" else 4
    return 3 * itemsize * sum(_product(shape) for shape in shapes.values())


def _step(dataset, images):
    """One step in float32: the images, conv and its gradient, each in two layouts, and the weights with their gradient.

    Of 32 images of 1000 x 1000, 4.9 GB with what all images take; 5.3 were measured.
    """
    pixels = _pixels(dataset)
    dense = pixels // 4 * FILTERS * CLASSES
    return 4 * (images * pixels * (1 + 4 * FILTERS) + 2 * dense)


def _pixels(dataset):
    return _product(dataset.train_images.shape[1:])


def _product(sizes):
    """In Python's whole numbers, which do not overflow."""
    product = 1
    for size in sizes:
        product *= int(size)
    return product
