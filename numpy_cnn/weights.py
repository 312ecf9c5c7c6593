"""Weight files: `.npz` with NumPy alone, `.safetensors` where that package is installed. Nothing is ever unpickled.

A file holds the three parameters and, where the writer knew them, the geometry: `input_shape` (H, W, C) and
`padding`. Names, dtypes, shapes and declared sizes are read first; only what fits is then loaded. Files are written
whole or not at all.

A changed number is noticed: `.npz` has a checksum of each member, and `.safetensors`, whose format has none, gets one
of all numbers in its metadata. A file without it, somebody else's, is read with a warning.
"""

import hashlib
import json
import warnings
from pathlib import Path

import numpy as np

from numpy_cnn.checks import PARAMETERS, check_padding, check_parameters, parameter_shapes
from numpy_cnn.plain_files import npy_array, one_line, read_regular, replacing, unpacked, zip_members

MAX_BYTES = 1 << 30  # a weight file above this is refused before anything is allocated
PACKED = 10  # times its size is what a file above a megabyte may unpack to: trained numbers hardly shrink
SMALL = 1 << 10  # bytes of what is no parameter
HEADER = 1 << 16  # bytes of a .safetensors header
GEOMETRY = ("input_shape", "padding")
CHECKSUM = "parameters_sha256"
UNSEALED = "found no checksum in it, so a number that was changed on the way could not be noticed"


class UnsealedWarning(UserWarning):
    """A file was read that has no checksum."""


def save_weights(path, parameters, input_shape=None, padding=None):
    """Write parameters to a `.npz` or `.safetensors` file, chosen by the ending.

    Args:
        path: where to; an existing file is replaced only once the new one is complete.
        parameters: dict of conv_weight (3, 3, C, F), dense_weight (P*Q*F, K), dense_bias (K,), float32 or float64.
        input_shape, padding: geometry to store beside them, both or neither.
    Raises:
        ValueError: wrong names, shapes or dtypes, more than one dtype, numbers that are not finite, an unknown ending,
            or something in that place that is no regular file.
        ImportError: `.safetensors` without that package.
        OSError: the place cannot be written.
    """
    path = Path(path)
    arrays = {name: np.asarray(value) for name, value in parameters.items()}
    _check_consistent(path, {name: value.shape for name, value in arrays.items()}, input_shape, padding)
    check_parameters(arrays, {name: value.shape for name, value in arrays.items()})
    geometry = {} if input_shape is None else {"input_shape": list(map(int, input_shape)), "padding": str(padding)}
    ending = _ending(path)
    for name in PARAMETERS:
        _check_dtype(path, name, arrays[name].dtype)
    _check_same(path, {name: arrays[name].dtype for name in PARAMETERS})
    with replacing(path) as temporary:
        if ending == ".npz":
            with temporary.open("xb") as file:
                np.savez(file, allow_pickle=False, **arrays, **{k: np.array(v) for k, v in geometry.items()})
        else:
            save = _safetensors("numpy").save
            # safetensors 0.8 writes the memory of a transposed view as it lies: only contiguous arrays are safe
            tensors = {name: np.ascontiguousarray(value) for name, value in arrays.items()}
            metadata = {k: json.dumps(v) for k, v in geometry.items()} | {CHECKSUM: _checksum(tensors, geometry)}
            temporary.write_bytes(save(tensors, metadata=metadata))
        written = _load(temporary, ending)[0]
        if any(written[k].tobytes() != np.ascontiguousarray(arrays[k]).tobytes() for k in PARAMETERS):
            raise OSError(f"{path}: the file read back differs from what was written")


def load_weights(path):
    """Read a file that `save_weights`, `numpy.savez` or safetensors wrote.

    Returns:
        parameters: dict of the three arrays, dtype as stored;
        geometry: {"input_shape": (H, W, C), "padding": ...}, or {} where the file has none.
    Raises:
        ValueError: damaged, truncated or oversized file, or no regular one, missing or unknown names, wrong shapes or
            dtypes, more than one dtype, numbers that are not finite; the message is one line that begins with the path.
    Warns:
        UnsealedWarning: a `.safetensors` file without a checksum.
        ImportError: `.safetensors` without that package.
        OSError: the file cannot be read.
    """
    path = Path(path)
    return _load(path, _ending(path))


def _load(path, ending):
    content = read_regular(path, MAX_BYTES)
    try:
        parameters, geometry = _load_npz(path, content) if ending == ".npz" else _load_safetensors(path, content)
        check_parameters(parameters, {name: value.shape for name, value in parameters.items()})
    except ValueError as error:
        raise ValueError(f"{path}: {one_line(str(error).removeprefix(f'{path}: '), 1000)}") from error
    return parameters, geometry


def _load_npz(path, content):
    members = {name.removesuffix(".npy"): info for name, info in zip_members(content).items()}
    _check_names(path, members)
    for name, info in members.items():
        if name in GEOMETRY and info.file_size > SMALL:
            raise ValueError(f"{path}: {name}: found {info.file_size} bytes, wanted at most {SMALL}")
    total, most = sum(info.file_size for info in members.values()), max(SMALL << 10, PACKED * len(content))
    if total > min(most, MAX_BYTES):
        raise ValueError(f"{path}: found {total} bytes, wanted at most {min(most, MAX_BYTES)} packed in {len(content)}")
    arrays = {name: _npy(path, name, unpacked(content, info)) for name, info in members.items()}
    geometry = _geometry(path, {name: arrays.pop(name).tolist() for name in GEOMETRY if name in arrays})
    _check_consistent(path, {name: value.shape for name, value in arrays.items()}, **geometry)
    _check_same(path, {name: value.dtype for name, value in arrays.items()})
    return {name: arrays[name] for name in PARAMETERS}, geometry


def _npy(path, name, content):
    """The array of a member, of just the kinds that a weight file has."""
    wanted = {"input_shape": r"[<>]i[48]", "padding": r"[<>]U[1-9]"}.get(name, r"<f[48]")
    try:
        array = npy_array(content, wanted)
    except ValueError as error:
        raise ValueError(f"{path}: {name}: {error}") from error
    if not array.size or array.shape != {"input_shape": (3,), "padding": ()}.get(name, array.shape):
        raise ValueError(f"{path}: {name}: found shape {array.shape}, wanted 3 numbers, a word or a parameter")
    return array


def _load_safetensors(path, content):
    library, load = _safetensors(), _safetensors("numpy").load
    size = int.from_bytes(content[:8], "little")
    if not 2 <= size <= min(HEADER, len(content) - 8):
        raise ValueError(f"{path}: found a header of {size} bytes, wanted at most {HEADER}, and all of them there")
    try:
        header = json.loads(content[8 : 8 + size], object_pairs_hook=_once)
        stored = header.pop("__metadata__", {})
        _check_names(path, header)
        for name, entry in header.items():
            _check_dtype(path, name, {"F32": "float32", "F64": "float64"}.get(entry["dtype"], entry["dtype"]))
        _check_consistent(path, {name: tuple(header[name]["shape"]) for name in PARAMETERS})
        arrays = load(content)
        geometry = {k: json.loads(stored[k]) for k in GEOMETRY if k in stored}
    except library.SafetensorError as error:
        raise ValueError(f"{path}: damaged: {one_line(error)}") from error
    except (AttributeError, KeyError, TypeError, RecursionError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path}: damaged: no header of safetensors: {one_line(error)}") from error
    parameters = {name: arrays[name] for name in PARAMETERS}
    geometry = _geometry(path, geometry)
    _check_consistent(path, {name: value.shape for name, value in parameters.items()}, **geometry)
    _check_same(path, {name: value.dtype for name, value in parameters.items()})
    if CHECKSUM not in stored:
        warnings.warn(f"{path}: {UNSEALED}", UnsealedWarning, stacklevel=2)
    elif stored[CHECKSUM] != _checksum(parameters, geometry):
        raise ValueError(f"{path}: damaged: the numbers do not fit the checksum stored beside them")
    return parameters, geometry


def _once(pairs):
    """A dict of JSON whose names are all different: which of two the library takes is not ours to guess."""
    if len(dict(pairs)) < len(pairs):
        raise KeyError("a name stands twice")
    return dict(pairs)


def _checksum(parameters, geometry):
    """SHA-256 of names, dtypes, shapes, numbers and geometry."""
    digest = hashlib.sha256(json.dumps([list(geometry.get("input_shape", ())), geometry.get("padding")]).encode())
    for name in PARAMETERS:
        value = np.ascontiguousarray(parameters[name])
        digest.update(f"{name} {value.dtype.str} {value.shape}\n".encode() + value.tobytes())
    return digest.hexdigest()


def _safetensors(module=None):
    try:
        import safetensors
        import safetensors.numpy
    except ImportError as error:
        raise ImportError(f".safetensors needs the safetensors package: pip install safetensors ({error})") from error
    return getattr(safetensors, module) if module else safetensors


def _ending(path):
    if path.suffix not in (".npz", ".safetensors"):
        raise ValueError(f"{path}: found ending {path.suffix!r}, wanted .npz or .safetensors")
    return path.suffix


def _check_names(path, names):
    unknown = sorted(set(names) - {*PARAMETERS, *GEOMETRY})
    missing = [name for name in PARAMETERS if name not in names]
    if unknown or missing or len(set(names)) < len(names):
        raise ValueError(f"{path}: found arrays {sorted(names)}, wanted {list(PARAMETERS)} once each")


def _check_dtype(path, name, dtype):
    if str(dtype) not in ("float32", "float64"):
        raise ValueError(f"{path}: {name}: found dtype {dtype}, wanted float32 or float64")


def _check_same(path, dtypes):
    """Raise ValueError unless all parameters are of one dtype: a network has one, and to round some is no copy."""
    if len(set(dtypes.values())) > 1:
        raise ValueError(f"{path}: found dtypes {', '.join(f'{k} {v}' for k, v in dtypes.items())}, wanted one for all")


def _geometry(path, stored):
    if not stored:
        return {}
    if set(stored) != set(GEOMETRY):
        raise ValueError(f"{path}: found {sorted(stored)} alone, wanted both of {list(GEOMETRY)} or neither")
    shape = stored["input_shape"]
    if not (isinstance(shape, list) and len(shape) == 3 and all(isinstance(n, int) for n in shape)):
        raise ValueError(f"{path}: input_shape: found {shape!r}, wanted 3 integers")
    return {"input_shape": tuple(shape), "padding": check_padding(stored["padding"])}


def _check_consistent(path, shapes, input_shape=None, padding=None):
    """Raise ValueError unless the shapes belong to one network, and to the geometry where there is one."""
    if set(shapes) != set(PARAMETERS):
        raise ValueError(f"{path}: found {sorted(shapes)}, wanted {sorted(PARAMETERS)}")
    conv, dense, bias = (tuple(shapes[name]) for name in PARAMETERS)
    if len(conv) != 4 or conv[:2] != (3, 3) or min(conv) < 1:
        raise ValueError(f"{path}: conv_weight: found shape {conv}, wanted (3, 3, C, F)")
    if len(dense) != 2 or dense[0] < 1 or dense[0] % conv[3] or len(bias) != 1 or bias[0] < 1 or dense[1] != bias[0]:
        raise ValueError(
            f"{path}: dense_weight and dense_bias: found shapes {dense} and {bias}, wanted (P*Q*{conv[3]}, K) and (K,)"
        )
    if (input_shape is None) != (padding is None):
        raise ValueError(f"{path}: found one of input_shape and padding, wanted both or neither")
    if input_shape is not None:
        wanted = parameter_shapes(input_shape, conv[3], bias[0], padding)
        if {"conv_weight": conv, "dense_weight": dense, "dense_bias": bias} != wanted:
            raise ValueError(
                f"{path}: found shapes {conv}, {dense}, {bias}, wanted {tuple(wanted.values())} "
                f"for images {tuple(input_shape)} with padding {padding!r}"
            )
