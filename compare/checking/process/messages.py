"""Messages between this project and the process of the code: JSON, and the bytes of arrays, one after the other.

A message is two lengths and these two. What cannot be sent stays where it is, and goes by a number.
"""

import json
import math
import re
import struct

import numpy as np

HEAD = struct.Struct("<QQ")  # bytes of JSON, bytes of arrays
TEXT = 1 << 23  # bytes of the JSON of a message, which takes twenty times as much once it is read
LARGEST = (1 << 26) - TEXT  # of its arrays: a result that is larger is refused before it is copied
DEEPEST = 12  # of nested results: what lies deeper stays here and is only named
LONGEST = 10_000  # of a list or dict
OBJECTS = 200_000  # of an array of objects
CHARACTERS = 1 << 20
DTYPE = re.compile(r"[<>|][biufc]\d{1,2}")


class TooLargeError(ValueError):
    """A result is larger than a message may be."""


class MalformedError(ValueError):
    """What was received is nothing that `send` sends."""


def send(pipe, value, keep):
    """Write one message; `keep` turns what cannot be sent into the number by which it is known here."""
    arrays: list = []
    text = json.dumps(encoded(value, arrays, keep)).encode()
    if len(text) > TEXT:
        raise TooLargeError(f"found an answer of {len(text)} bytes beside its arrays, wanted at most {TEXT}")
    blob = [array.tobytes() for array in arrays]
    size = sum(map(len, blob))
    pipe.write(HEAD.pack(len(text), size) + text + b"".join(blob))
    pipe.flush()


def receive(pipe, known):
    """Read one message; None at the end. `known`: what a number stands for.

    Raises:
        MalformedError: no message, or a larger one than is ever sent; no more of it is read.
    """
    head = _exactly(pipe, HEAD.size)
    if head is None:
        return None
    text, size = HEAD.unpack(head)
    if text > TEXT or size > LARGEST:
        raise MalformedError(f"found {text} and {size} bytes, wanted at most {TEXT} and {LARGEST}")
    said, blob = _exactly(pipe, text), _exactly(pipe, size) if size else b""
    if said is None or blob is None:
        return None
    try:
        at = [0]
        value = decoded(READER.decode(said.decode()), blob, known, at)
        if at[0] != size:
            raise ValueError(f"arrays of {at[0]} bytes, of {size}")
    except Exception as error:  # bytes that are no message fail in any way; a deep one as RecursionError
        raise MalformedError(f"{type(error).__name__}: {str(error)[:200]}") from error
    return value


def _no_number(word):
    raise ValueError(f"found {word}")


READER = json.JSONDecoder(parse_constant=_no_number)  # made once: there are thousands of messages


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
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and not isinstance(value, np.generic) and abs(value) < 1 << 63:
        return value
    if isinstance(value, str) and not isinstance(value, np.generic) and len(value) <= CHARACTERS:
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
    if isinstance(value, np.ndarray) and value.dtype.kind == "O" and value.size <= OBJECTS:
        return {"$": "objects", "shape": list(value.shape), "of": [_number(each) for each in value.ravel()]}
    if isinstance(value, tuple | list) and depth < DEEPEST and len(value) < LONGEST:
        items = [encoded(each, arrays, keep, depth + 1) for each in value]
        return {"$": "tuple" if isinstance(value, tuple) else "list", "of": items}
    if isinstance(value, dict) and depth < DEEPEST and len(value) < LONGEST:
        pairs = [[encoded(part, arrays, keep, depth + 1) for part in pair] for pair in value.items()]
        return {"$": "dict", "of": pairs}
    return keep(value)


def _number(thing):
    try:
        return float(thing).hex()
    except (TypeError, ValueError):
        return None


def decoded(value, blob, known, at, depth=0):
    """What `encoded` made, with arrays that own their memory."""
    if depth > DEEPEST + 1:
        raise ValueError(f"found more than {DEEPEST} nested")
    if not isinstance(value, dict):
        if not isinstance(value, bool | int | str | None):
            raise TypeError(f"found {type(value).__name__}, wanted what is sent")
        return value
    kind = value["$"]
    if kind == "float":
        return float.fromhex(value["of"])
    if kind in ("array", "scalar"):
        shape = tuple(value["shape"])
        if not (DTYPE.fullmatch(value["dtype"]) and all(type(each) is int and each >= 0 for each in shape)):
            raise ValueError(f"found an array of {value['dtype']} and shape {shape}")
        dtype = np.dtype(value["dtype"])
        count = math.prod(shape)
        array = np.frombuffer(blob, dtype, offset=at[0], count=count).reshape(shape).copy()
        at[0] += array.nbytes
        return array if kind == "array" else array[()]
    if kind in ("tuple", "list"):
        items = [decoded(each, blob, known, at, depth + 1) for each in value["of"]]
        return tuple(items) if kind == "tuple" else items
    if kind == "dict":
        return {
            decoded(key, blob, known, at, depth + 1): decoded(each, blob, known, at, depth + 1)
            for key, each in value["of"]
        }
    if kind == "objects":
        items = [None if each is None else float.fromhex(each) for each in value["of"]]
        return np.array([*items, None], object)[:-1].reshape(value["shape"])
    if kind == "dtype":
        return np.dtype(value["of"]).type
    if kind not in ("ref", "standing"):
        raise ValueError(f"found {kind!r}")
    return known(value)
