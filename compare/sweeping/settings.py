"""What a sweep is asked for: a TOML file, each key held to what it may be; and the cells that it comes to."""

import itertools
import tomllib
from dataclasses import dataclass
from pathlib import Path

from compare import contract, plain
from compare.cells import limits
from compare.sweeping.cell import NONE
from compare.training import evidence
from numpy_cnn.checks import check_rate
from numpy_cnn.optimisers import OPTIMISERS

TEMPLATE = """\
# python -m compare sweep sweep.toml: one training for each combination of the lists below.

seeds = 3                              # of start weights and batch order: how many, or a list
implementations = ["numpy-fused", "torch"]   # names or prefixes; the first NumPy one is what others are held against
optimisers = ["sgd", "adam"]           # sgd, momentum, nesterov, adam, adamw
learning_rates = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3]
batch_sizes = [32]
defects = ["none"]                     # "none" is the right network; parts of names from docs/defects.md

data = "sample"                        # sample, mnist, or a folder of IDX files
images = 1000                          # of the training images, the first ones; without it all
tested = 1000                          # of the test images
epochs = 1
threads = 1                            # of each training
limit = 600                            # seconds for one training
per_process = 1                        # trainings in one process: importing a framework costs seconds
"""
MOST = 10_000_000  # cells


@dataclass(frozen=True)
class Settings:
    """A sweep: the lists whose combinations are trained, and what all of them share.

    defects: full names, NONE for the right network. images, tested: None for all. limit: seconds for one training.
    """

    seeds: tuple[int, ...]
    implementations: tuple[str, ...]
    learning_rates: tuple[float, ...]
    optimisers: tuple[str, ...] = ("sgd",)
    batch_sizes: tuple[int, ...] = (32,)
    defects: tuple[str, ...] = (NONE,)
    data: str | None = None
    images: int | None = None
    tested: int | None = None
    epochs: int = 1
    threads: int = 1
    limit: float = 600.0
    per_process: int = 1

    def cells(self):
        """Each combination as a dict of implementation, optimiser, learning_rate, batch_size, seed and defect.

        Seeds come outermost: where a sweep is interrupted, each setting has about as many of them.
        """
        names = ("seed", "implementation", "defect", "optimiser", "batch_size", "learning_rate")
        lists = (
            self.seeds,
            self.implementations,
            self.defects,
            self.optimisers,
            self.batch_sizes,
            self.learning_rates,
        )
        return [dict(zip(names, each, strict=True)) for each in itertools.product(*lists)]

    def __len__(self):
        size = 1
        for each in (self.seeds, self.implementations, self.defects, self.optimisers, self.batch_sizes):
            size *= len(each)
        return size * len(self.learning_rates)


def load(path):
    """The `Settings` of a TOML file.

    Raises:
        ValueError: no TOML, an unknown or missing key, or a value that it may not have; the message begins with the
            path and names the key.
        OSError: the file cannot be read.
    """
    try:
        given = tomllib.loads(Path(path).read_bytes().decode())
    except ValueError as error:  # no UTF-8, or no TOML
        raise ValueError(f"{path}: found no TOML ({plain.line(error, 200)}), wanted what --template prints") from error
    for key in given:
        if key not in READ:
            raise ValueError(f"{path}: {contract.unknown('key', key, READ)}")
    for key in ("seeds", "implementations", "learning_rates"):
        if key not in given:
            raise ValueError(f"{path}: found no key {key!r}, wanted one, as in what --template prints")
    found = {}
    for key, value in given.items():
        try:
            found[key] = READ[key](key, value)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
    settings = Settings(**found)
    if len(settings) > MOST:
        raise ValueError(f"{path}: found {len(settings):,} cells, wanted at most {MOST:,}")
    of_update = [each.name for each in evidence.DEFECTS if each.stage == "update" and each.name in settings.defects]
    if of_update and set(settings.optimisers) != {"sgd"}:
        raise ValueError(
            f"{path}: defects: found {of_update[0]!r}, a mistake in plain SGD, beside optimisers "
            f"{', '.join(settings.optimisers)}; wanted optimisers = ['sgd'] alone"
        )
    return settings


def _each(key, value, read, wanted):
    """The items of a list, each read; none twice, and at least one."""
    if not isinstance(value, list) or not value:
        raise ValueError(f"{key}: found {_shown(value)}, wanted a list of {wanted}")
    found = [read(each) for each in value]
    if None in found:
        raise ValueError(f"{key}: found {_shown(value[found.index(None)])}, wanted {wanted}")
    if twice := [each for each in found if found.count(each) > 1]:
        raise ValueError(f"{key}: found {_shown(twice[0])} twice, wanted each once")
    return tuple(found)


def _shown(value):
    return plain.line(repr(value), 100)


def _whole(value, least=1, most=None):
    good = type(value) is int and value >= least and (most is None or value <= most)
    return value if good else None


def _seeds(key, value):
    if type(value) is int:
        limits.check_whole(key, value, most=limits.RUNS)
        return tuple(range(value))
    wanted = f"whole numbers of 0 to {limits.SEED:,}, or how many"
    return _each(key, value, lambda each: _whole(each, 0, limits.SEED), wanted)


def _implementations(key, value):
    texts = _each(key, value, lambda each: each if isinstance(each, str) else None, "names")
    return tuple(contract.select(list(texts)))


def _optimisers(key, value):
    wanted = f"names out of {', '.join(OPTIMISERS)}"
    return _each(key, value, lambda each: each if isinstance(each, str) and each in OPTIMISERS else None, wanted)


def _rates(key, value):
    rates = _each(key, value, lambda each: float(each) if type(each) in (int, float) else None, "numbers")
    for rate in rates:
        try:
            check_rate(rate, "float32")
        except ValueError as error:
            raise ValueError(f"{key}: {error}") from error
    return rates


def _defects(key, value):
    texts = _each(key, value, lambda each: each if isinstance(each, str) else None, "texts")
    named = [(NONE,) if text == NONE else [each.name for each in evidence.select_defects([text])] for text in texts]
    return tuple(dict.fromkeys(itertools.chain.from_iterable(named)))


def _data(key, value):
    if not isinstance(value, str):
        raise ValueError(f"{key}: found {_shown(value)}, wanted sample, mnist or a folder")
    return value


def _seconds(key, value):
    if type(value) not in (int, float) or not 0 < value < 1e7:
        raise ValueError(f"{key}: found {_shown(value)}, wanted seconds above 0")
    return float(value)


def _count(most=None):
    def read(key, value):
        limits.check_whole(key, value if type(value) is int else plain.line(value, 100), most=most)
        return value

    return read


READ = {
    "seeds": _seeds,
    "implementations": _implementations,
    "optimisers": _optimisers,
    "learning_rates": _rates,
    "batch_sizes": lambda key, value: _each(key, value, _whole, "whole numbers of 1 or more"),
    "defects": _defects,
    "data": _data,
    "images": _count(),
    "tested": _count(),
    "epochs": _count(),
    "threads": _count(limits.THREADS),
    "limit": _seconds,
    "per_process": _count(1000),
}
