"""Messages between this project and the process of the code: JSON, and the bytes of arrays, one after the other.

A message is two lengths and these two. What cannot be sent stays where it is, and goes by a number.
"""

import json
import struct

import numpy as np

HEAD = struct.Struct("<QQ")  # bytes of JSON, bytes of arrays


LARGEST = 1 << 31  # bytes of a message: a result that is larger is refused before it is copied


DEEPEST = 12  # of nested results: what lies deeper stays here and is only named


class TooLargeError(ValueError):
    """A result is larger than a message may be."""


def send(pipe, value, keep):
    """Write one message; `keep` turns what cannot be sent into the number by which it is known here."""
    arrays: list = []
    text = json.dumps(encoded(value, arrays, keep)).encode()
    blob = [array.tobytes() for array in arrays]
    size = sum(map(len, blob))
    pipe.write(HEAD.pack(len(text), size) + text + b"".join(blob))
    pipe.flush()


def receive(pipe, known):
    """Read one message; None at the end. `known`: what a number stands for."""
    head = _exactly(pipe, HEAD.size)
    if head is None:
        return None
    text, size = HEAD.unpack(head)
    return decoded(json.loads(_exactly(pipe, text)), _exactly(pipe, size) if size else b"", known)


def _exactly(pipe, size):
    parts = []
    while size:
        part = pipe.read(size)
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def encoded(value, arrays, keep, depth=0):
    """A value as JSON holds it: arrays and scalars of NumPy by dtype, shape and place among the bytes."""
    if value is None or isinstance(value, bool | int | str) and not isinstance(value, np.generic):
        return value
    if isinstance(value, float) and not isinstance(value, np.generic):
        return {"$": "float", "of": value.hex()}
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "biufc":
        array = np.ascontiguousarray(value)
        if sum(each.nbytes for each in arrays) + array.nbytes > LARGEST:
            raise TooLargeError(f"found an array of {array.nbytes} bytes, wanted at most {LARGEST} in one answer")
        arrays.append(array)
        kind = "array" if isinstance(value, np.ndarray) else "scalar"
        return {"$": kind, "dtype": value.dtype.str, "shape": list(np.shape(value))}
    if isinstance(value, np.ndarray) and value.dtype.kind == "O" and value.size < 1_000_000:
        return {"$": "objects", "shape": list(value.shape), "of": [_number(each) for each in value.ravel()]}
    if isinstance(value, tuple | list) and depth < DEEPEST and len(value) < 10_000:
        items = [encoded(each, arrays, keep, depth + 1) for each in value]
        return {"$": "tuple" if isinstance(value, tuple) else "list", "of": items}
    if isinstance(value, dict) and depth < DEEPEST and len(value) < 10_000:
        pairs = [[encoded(part, arrays, keep, depth + 1) for part in pair] for pair in value.items()]
        return {"$": "dict", "of": pairs}
    return keep(value)


def _number(thing):
    try:
        return float(thing).hex()
    except (TypeError, ValueError):
        return None


def decoded(value, blob, known, at=None):
    """What `encoded` made, with arrays that own their memory."""
    at = [0] if at is None else at
    if not isinstance(value, dict):
        return value
    kind = value["$"]
    if kind == "float":
        return float.fromhex(value["of"])
    if kind in ("array", "scalar"):
        dtype, shape = np.dtype(value["dtype"]), tuple(value["shape"])
        size = dtype.itemsize * int(np.prod(shape, dtype=np.int64))
        array = np.frombuffer(blob, dtype, offset=at[0], count=size // dtype.itemsize).reshape(shape).copy()
        at[0] += size
        return array if kind == "array" else array[()]
    if kind in ("tuple", "list"):
        items = [decoded(each, blob, known, at) for each in value["of"]]
        return tuple(items) if kind == "tuple" else items
    if kind == "dict":
        return {decoded(key, blob, known, at): decoded(each, blob, known, at) for key, each in value["of"]}
    if kind == "objects":
        items = [None if each is None else float.fromhex(each) for each in value["of"]]
        return np.array([*items, None], object)[:-1].reshape(value["shape"])
    if kind == "dtype":
        return np.dtype(value["of"]).type
    return known(value)
