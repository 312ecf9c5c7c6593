"""Weight files: `.npz` with NumPy alone, `.safetensors` where that package is installed. Nothing is ever unpickled.

A file holds the three parameters and, where the writer knew them, the geometry: `input_shape` (H, W, C) and
`padding`. Names, dtypes, shapes and declared sizes are read first; only what fits is then loaded. Files are written
whole or not at all.
"""

import json
import os
import zipfile
import zlib
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from numpy_cnn.checks import PARAMETERS, check_padding, check_parameters, parameter_shapes

MAX_BYTES = 1 << 30  # a weight file above this is refused before anything is allocated
GEOMETRY = ("input_shape", "padding")


def save_weights(path, parameters, input_shape=None, padding=None):
    """Write parameters to a `.npz` or `.safetensors` file, chosen by the ending.

    Args:
        path: where to; an existing file is replaced only once the new one is complete.
        parameters: dict of conv_weight (3, 3, C, F), dense_weight (P*Q*F, K), dense_bias (K,), float32 or float64.
        input_shape, padding: geometry to store beside them, both or neither.
    Raises:
        ValueError: wrong names, shapes or dtypes, numbers that are not finite, an unknown ending.
        ImportError: `.safetensors` without that package.
        OSError: the place cannot be written.
    """
    path = Path(path)
    arrays = {name: np.asarray(value) for name, value in parameters.items()}
    _check_consistent(path, {name: value.shape for name, value in arrays.items()}, input_shape, padding)
    check_parameters(arrays, {name: value.shape for name, value in arrays.items()})
    geometry = {} if input_shape is None else {"input_shape": list(map(int, input_shape)), "padding": str(padding)}
    ending = _ending(path)
    with _whole(path) as temporary:
        if ending == ".npz":
            with temporary.open("xb") as file:
                np.savez(file, allow_pickle=False, **arrays, **{k: np.array(v) for k, v in geometry.items()})
        else:
            save = _safetensors("numpy").save
            # safetensors 0.8 writes the memory of a transposed view as it lies: only contiguous arrays are safe
            tensors = {name: np.ascontiguousarray(value) for name, value in arrays.items()}
            temporary.write_bytes(save(tensors, metadata={k: json.dumps(v) for k, v in geometry.items()}))
        written = _load(temporary, ending)[0]
        if any(written[k].tobytes() != np.ascontiguousarray(arrays[k]).tobytes() for k in PARAMETERS):
            raise OSError(f"{path}: the file read back differs from what was written")


def load_weights(path):
    """Read a file that `save_weights`, `numpy.savez` or safetensors wrote.

    Returns:
        parameters: dict of the three arrays, dtype as stored;
        geometry: {"input_shape": (H, W, C), "padding": ...}, or {} where the file has none.
    Raises:
        ValueError: damaged, truncated or oversized file, missing or unknown names, wrong shapes or dtypes, numbers that
            are not finite; the message begins with the path.
        ImportError: `.safetensors` without that package.
        OSError: the file cannot be read.
    """
    path = Path(path)
    return _load(path, _ending(path))


def _load(path, ending):
    try:
        parameters, geometry = _load_npz(path) if ending == ".npz" else _load_safetensors(path)
        check_parameters(parameters, {name: value.shape for name, value in parameters.items()})
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise ValueError(f"{path}: damaged: {error}") from error
    except ValueError as error:
        message = str(error)
        raise ValueError(message if message.startswith(str(path)) else f"{path}: {message}") from error
    return parameters, geometry


def _load_npz(path):
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - 22))
        if not file.read(4) == b"PK\x05\x06":
            raise ValueError(f"{path}: truncated, oversized or not an .npz file (no end record in its last 22 bytes)")
    with zipfile.ZipFile(path) as archive:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        _check_names(path, [info.filename.removesuffix(".npy") for info in archive.infolist()])
        shapes = {}
        for name, info in members.items():
            with archive.open(info) as file:
                shape, dtype = _npy_header(path, name, info, file)
            if name in PARAMETERS:
                shapes[name] = shape
                _check_dtype(path, name, dtype)
            elif (name, dtype.kind, shape) not in (("input_shape", "i", (3,)), ("padding", "U", ())):
                raise ValueError(f"{path}: {name}: found {dtype} of shape {shape}, wanted 3 integers or a word")
        _check_total(path, sum(info.file_size for info in members.values()))
        small = {name: _read_member(archive, members[name]) for name in GEOMETRY if name in members}
        geometry = _geometry(path, {k: v.tolist() for k, v in small.items()})
        _check_consistent(path, shapes, **geometry)
        return {name: _read_member(archive, members[name]) for name in PARAMETERS}, geometry


def _npy_header(path, name, info, file):
    """(shape, dtype) that a member declares, once its declared length is known to fit them."""
    version = np.lib.format.read_magic(file)
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(version)
    if read is None:
        raise ValueError(f"{path}: {name}: found .npy version {version}, wanted (1, 0) or (2, 0)")
    shape, _, dtype = read(file)
    wanted = file.tell() + int(np.prod([int(n) for n in shape], dtype=object)) * dtype.itemsize
    if dtype.hasobject or min(shape, default=1) < 1 or info.file_size != wanted:
        raise ValueError(f"{path}: {name}: declares {dtype} of shape {shape}, {wanted} bytes, and has {info.file_size}")
    return tuple(shape), dtype


def _read_member(archive, info):
    with archive.open(info) as file:
        array = np.lib.format.read_array(file, allow_pickle=False)
        file.read(1)  # reaches the end, where the checksum is compared
    return array


def _load_safetensors(path):
    library = _safetensors()
    try:
        with library.safe_open(path, framework="numpy") as file:
            _check_names(path, list(file.keys()))
            slices = {name: file.get_slice(name) for name in PARAMETERS}
            shapes = {name: tuple(part.get_shape()) for name, part in slices.items()}
            for name, part in slices.items():
                _check_dtype(path, name, {"F32": "float32", "F64": "float64"}.get(part.get_dtype(), part.get_dtype()))
            _check_total(path, path.stat().st_size)
            stored = file.metadata() or {}
            geometry = _geometry(path, {k: json.loads(stored[k]) for k in GEOMETRY if k in stored})
            _check_consistent(path, shapes, **geometry)
            return {name: file.get_tensor(name) for name in PARAMETERS}, geometry
    except library.SafetensorError as error:
        raise ValueError(f"{path}: damaged: {error}") from error


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


def _check_total(path, size):
    if size > MAX_BYTES:
        raise ValueError(f"{path}: found {size} bytes, wanted at most {MAX_BYTES}")


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


@contextmanager
def _whole(path):
    """A temporary path beside `path` that takes its place when the block ends well, and is removed when not."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
