"""Where each array of an exchange lies: folders, names, shapes, and one array as a file in either of two formats."""

import io
import json
import math
from dataclasses import dataclass

import numpy as np

from compare import plain_files
from compare.contract import PARAMETERS
from compare.graph import QUANTITIES
from compare.verdict import check_probes, probes
from compare.verdict.packing import PATH

VERSION = 1
MANIFEST, CASES, PAGE = "manifest.json", "cases.txt", "README.md"
GIVEN = "given"
SUFFIX = {"npy": ".npy", "raw": ".bin"}
LABELS = np.dtype("int32")  # every language has it; JavaScript's numbers hold no int64
MODES = tuple(QUANTITIES)  # folders that a probe's answers lie in; those of the training path lie in PATH
SIZES = ("N", "H", "W", "C", "F", "K")
HEADER = 1 << 10  # bytes of a .npy file before its numbers
WIDER = 16  # times the bytes wanted: an answer of another shape is a finding, up to here


@dataclass(frozen=True)
class Folder:
    """A probe, or the training path, in one dtype: what is given, and what may be answered.

    steps: of the training path; 0 for a probe.
    sizes: N, H, W, C, F, K, of which all shapes follow.
    given: arrays by name, labels as LABELS. answers: shapes by (mode, quantity).
    """

    probe: str
    dtype: str
    padding: str
    steps: int
    exact: bool
    sizes: tuple[int, ...]
    given: dict[str, np.ndarray]
    answers: dict[tuple[str, str], tuple[int, ...]]

    @property
    def name(self):
        """Of the folder."""
        return f"{self.probe}.{self.dtype}"

    @property
    def about(self):
        """Its line in CASES, which is its entry in MANIFEST too."""
        line = {"folder": self.name, "dtype": self.dtype, "padding": self.padding, "steps": self.steps}
        return line | dict(zip(SIZES, self.sizes, strict=True))

    @property
    def modes(self):
        """Folders in it for answers."""
        return tuple(dict.fromkeys(mode for mode, _ in self.answers))


def folders(seed, dtypes):
    """A `Folder` for each probe of `check` and for its training path, in each dtype."""
    cases, path = check_probes.cases(seed)
    found = []
    for dtype in dtypes:
        found += [_of_probe(case.rounded(dtype)) for case in cases]
        found.append(_of_path(path, dtype))
    return found


def _of_probe(case):
    given = {"images": case.images, "labels": case.labels.astype(LABELS)}
    given |= {name: case.parameters[name] for name in PARAMETERS} | case.inputs
    answers = {(mode, name): _shape(case, name) for mode, names in QUANTITIES.items() for name in names}
    sizes = (*case.images.shape, case.parameters["conv_weight"].shape[3], len(case.parameters["dense_bias"]))
    return Folder(case.name, case.dtype, case.padding, 0, case.exact, sizes, given, answers)


def _shape(case, quantity):
    name = quantity.removeprefix("kept_").removeprefix("step_")
    return case.shape_of("probabilities" if name == "predict" else name)


def _of_path(path, dtype):
    steps, *shape = path.images.shape
    parameters = {name: path.parameters[name].astype(dtype) for name in PARAMETERS}
    given = {"images": path.images.astype(dtype), "labels": path.labels.astype(LABELS), **parameters}
    answers = {(PATH, name): (steps + 1, *value.shape) for name, value in parameters.items()}
    sizes = (*shape, parameters["conv_weight"].shape[3], len(parameters["dense_bias"]))
    return Folder(PATH, dtype, path.padding, steps, False, sizes, given, {(PATH, "loss"): (steps,), **answers})


def encoded(array, form):
    """An array as the bytes of a file: little-endian, the last axis fastest."""
    array = array.astype(array.dtype.newbyteorder("<"), order="C")
    if form == "raw":
        return array.tobytes()
    content = io.BytesIO()
    np.lib.format.write_array(content, array, version=(1, 0), allow_pickle=False)
    return content.getvalue()


def read_answer(path, form, dtype, shape):
    """One answer: an array of `shape` and `dtype`, or of those that it has instead, for the judge to say so.

    A raw file holds no shape: where its size is not that of `shape` in either dtype it is a row of numbers. Where one
    number is wanted, any shape of one number will do.

    Raises:
        ValueError: damaged, no regular file, or far too large; the message begins with the path.
        OSError: it cannot be read.
    """
    size = math.prod(shape)
    content = plain_files.read_regular(path, WIDER * 8 * size + HEADER)
    try:
        found = _numbers(content, dtype, shape) if form == "raw" else plain_files.npy_array(content, r"[<>|=][biuf]\d")
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    found = found.astype(found.dtype.newbyteorder("="))
    return found.reshape(()) if shape == () and found.size == 1 else found


def _numbers(content, dtype, shape):
    """The array in a raw file."""
    for each in dict.fromkeys((dtype, *probes.DTYPES)):
        kind = np.dtype(each).newbyteorder("<")
        if len(content) == math.prod(shape) * kind.itemsize:
            return np.frombuffer(content, kind).reshape(shape)
    kind = np.dtype(dtype).newbyteorder("<")
    if len(content) % kind.itemsize:
        wanted = math.prod(shape) * kind.itemsize
        raise ValueError(f"found {len(content)} bytes, wanted {wanted}: {dtype} of shape {shape}")
    return np.frombuffer(content, kind)


def manifest(seed, form, dtypes, asked, hashes):
    """What MANIFEST holds, as text: `asked` are `Folder`s, `hashes` SHA-256 by the path of a file that is given."""
    files = {
        f"{folder.name}/{GIVEN}/{name}{SUFFIX[form]}": {"dtype": value.dtype.name, "shape": list(value.shape)}
        for folder in asked
        for name, value in folder.given.items()
    }
    about = {
        "schema_version": VERSION,
        "command": "probes",
        "seed": seed,
        "format": form,
        "byte_order": "little",
        "dtypes": list(dtypes),
        "learning_rate": probes.LEARNING_RATE,
        "cases": [folder.about for folder in asked],
        "files": {path: {**entry, "sha256": hashes[path]} for path, entry in files.items()},
    }
    return json.dumps(about, indent=1) + "\n"
