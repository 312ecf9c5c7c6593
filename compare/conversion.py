"""`compare.convert`: weights from any file to any other, exact to the bit."""

import tempfile
import warnings
from pathlib import Path

import numpy as np

from compare import contract, plain
from compare.cells import cells, limits
from compare.plain_files import regular_size
from numpy_cnn import load_weights, save_weights

# A framework reads and writes its own files, in a process of its own; the rest is NumPy's.
FRAMEWORK_FILES = {".pt": "torch", ".weights.h5": "keras-tensorflow"}
LIMIT = 120  # seconds for one file


def convert(source, target, input_shape=(28, 28, 1), filters=8, classes=10, padding="valid", dtype="float32"):
    """Read the weights of one file and write them to another; the endings say which kinds.

    Args:
        source, target: `.npz`, `.safetensors`, PyTorch's `.pt` (a state_dict) or Keras's `.weights.h5`.
        input_shape, filters, classes, padding, dtype: of the network, where the source does not say: only `.npz` and
            `.safetensors` files can hold them.
    Returns:
        dict of the geometry that the target was written with.
    Raises:
        ValueError: an unknown ending, a damaged file, other shapes; the message begins with the path.
        contract.UnavailableError: the framework that a file needs cannot be imported.
        OSError: a file cannot be read or written.
    Warns:
        UserWarning: the source has no checksum, so that a number that was changed on the way could not be noticed.
    """
    source, target = Path(source), Path(target)
    wanted = (".npz", ".safetensors", *FRAMEWORK_FILES)
    for path in (source, target):
        if not path.name.endswith(wanted):
            raise ValueError(f"{path}: found ending {path.suffix!r}, wanted one of {', '.join(wanted)}")
    geometry = {"input_shape": tuple(input_shape), "filters": filters, "classes": classes, "padding": padding}
    if framework := _framework(source):
        need = limits.weights_need(input_shape, filters, classes, padding, dtype)
        limits.check_memory("weights of this network", need)
        regular_size(source)
        parameters = _in_cell(framework, "load_weights", source, geometry, dtype)
    else:
        parameters, stored = load_weights(source)
        filters, classes = parameters["conv_weight"].shape[3], len(parameters["dense_bias"])
        geometry |= {**stored, "filters": filters, "classes": classes}
        dtype = parameters["dense_weight"].dtype.name
    if framework := _framework(target):
        _in_cell(framework, "save_weights", target, geometry, dtype, parameters)
    else:
        save_weights(target, parameters, geometry["input_shape"], geometry["padding"])
    return {**geometry, "dtype": dtype}


def _framework(path):
    """The implementation whose own loader the file needs, or None."""
    return next((name for ending, name in FRAMEWORK_FILES.items() if path.name.endswith(ending)), None)


def _in_cell(name, task, path, geometry, dtype, parameters=None):
    with tempfile.TemporaryDirectory(prefix="cnn-compare-") as folder:
        inputs = Path(folder) / "parameters.npz"
        cells.write_result(inputs, {}, parameters)
        spec = {"task": task, "implementation": name, "threads": 1, "limit": LIMIT, "inputs": str(inputs)}
        result = cells.run([{**spec, "path": str(path.absolute()), "geometry": geometry, "dtype": dtype}])[0]
    contract.note_missing([result], by_name=True)
    if result.status != "ok":
        raise ValueError(_said_of(path, result))
    for remark in result.meta["remarks"]:
        warnings.warn(remark.replace(str(path.absolute()), str(path)), stacklevel=3)
    return result.arrays


def _said_of(path, result):
    """What became of a cell, as a line that begins with the path as it was given."""
    whole = str(path.absolute())
    _, named, told = result.error.partition(f"{whole}: ")
    said = told if named else f"{result.status}: {result.error}"
    return f"{path}: {plain.line(said)}"


def transfer(spec, implementation):
    """Load or save one file inside a cell: (parameters, remarks on the file)."""
    geometry = {**spec["geometry"], "input_shape": tuple(spec["geometry"]["input_shape"])}
    model = implementation(**geometry, dtype=spec["dtype"])
    if spec["task"] == "load_weights":
        with warnings.catch_warnings(record=True) as noticed:
            warnings.simplefilter("always")
            model.load(spec["path"])
        told = [str(each.message) for each in noticed if str(each.message).startswith(spec["path"])]
        return model.get_parameters(), {"remarks": told}
    parameters, _ = cells.read_arrays(spec["inputs"])
    model.set_parameters(parameters)
    held = model.get_parameters()
    if any(held[name].tobytes() != np.ascontiguousarray(value).tobytes() for name, value in parameters.items()):
        raise ValueError("the parameters held differ from those given")
    model.save(spec["path"])
    return {}, {"remarks": []}
