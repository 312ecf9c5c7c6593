"""IDX, the file format of MNIST: four files found by name, checked, unpacked.

A header is believed once the bytes bear it out.

Layout: two zero bytes, the element type (0x08 is uint8), the number of axes, the sizes as big-endian uint32, the
elements in row order. Source: the MNIST page of LeCun, Cortes and Burges, "the IDX file format".
"""

import gzip
import hashlib
import math
import os
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

LIMIT = 1 << 30  # bytes of elements in one file; MNIST's largest has 47 million
PACKED = 50  # times its own size is what a gzip file above FREE may unpack to; MNIST's images are five times theirs
FREE = 1 << 26  # bytes that any gzip file may unpack to, blank images too
CHUNK = 1 << 20
UINT8 = 0x08
CONTENT = {1: "labels", 3: "images"}  # by the number of axes

# What each file holds, and its number of axes.
FILES = {
    "train_images": ("train-images-idx3-ubyte", 3),
    "train_labels": ("train-labels-idx1-ubyte", 1),
    "test_images": ("t10k-images-idx3-ubyte", 3),
    "test_labels": ("t10k-labels-idx1-ubyte", 1),
}
# Of the unpacked bytes: the gzip files differ from mirror to mirror.
SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


def find(folder: Path, name: str) -> Path | None:
    """The file `name` of a folder, in the first of its spellings that is there, or None.

    In this order: name.gz, name, and both with a dot for the hyphen in front of "idx" (train-images.idx3-ubyte), as
    some unpackers leave it.
    """
    dotted = name.replace("-idx", ".idx")
    for spelling in (f"{name}.gz", name, f"{dotted}.gz", dotted):
        if os.path.lexists(folder / spelling):
            return folder / spelling
    return None


def missing(folder: Path) -> list[str]:
    """Those of the four names that the folder has in no spelling."""
    return [name for name, _ in FILES.values() if find(folder, name) is None]


def verified(path: Path, name: str) -> bytes:
    """The unpacked bytes of one of MNIST's files. Raises ValueError, path first, unless they are just these."""
    content = unpack(path, dict(FILES.values())[name])
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256[name]:
        raise ValueError(f"{path}: found SHA-256 {found} of the unpacked bytes, wanted MNIST's, {SHA256[name]}")
    return content


def unpack(path: Path, axes: int) -> bytes:
    """The bytes of an IDX file of uint8, header included, gzip taken off; every count checked.

    Whether it is gzip is told by its first bytes: browsers unpack on the way and keep the name.
    Memory follows the bytes that are there, and ends one past what the header declares: neither a header that lies
    nor a gzip bomb makes it grow further.

    Args:
        path: the file.
        axes: 3 for images (N, H, W), 1 for labels (N,).
    Raises:
        ValueError: no regular file, another type or number of axes, a size of 0, more than LIMIT elements or far
            more than the file's own size, fewer or more bytes than declared, a damaged gzip stream. The message begins
            with the path.
    """
    if not path.is_file():
        raise ValueError(f"{path}: found no regular file, wanted an IDX file of {CONTENT[axes]}")
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        if not packed:
            return _read(file, path, axes, LIMIT)
        try:
            with gzip.GzipFile(fileobj=file, mode="rb") as stream:
                return _read(stream, path, axes, max(FREE, PACKED * path.stat().st_size))
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(f"{path}: found a damaged gzip stream ({error}), wanted a whole one") from error


def _read(stream: BinaryIO | gzip.GzipFile, path: Path, axes: int, most: int) -> bytes:
    """Header and elements of an open stream. The read past the last element is what makes gzip check its CRC."""
    gathered = bytearray()
    _up_to(stream, 4 + 4 * axes, gathered)
    before = len(gathered)
    declared = _declared(bytes(gathered), path, axes)
    if declared > most:
        raise ValueError(
            f"{path}: found too small a gzip file for the {declared} bytes declared, wanted {most} at most"
        )
    _up_to(stream, before + declared + 1, gathered)
    found = len(gathered) - before
    if found != declared:
        what = f"only {found}" if found < declared else "more"
        raise ValueError(f"{path}: found {what} bytes after the header, wanted the {declared} that it declares")
    return bytes(gathered)


def _up_to(stream: BinaryIO | gzip.GzipFile, count: int, gathered: bytearray) -> None:
    """Read until `count` bytes are gathered, a CHUNK at a time: a buffer of `count` at once would trust the header."""
    while len(gathered) < count and (piece := stream.read(min(CHUNK, count - len(gathered)))):
        gathered += piece


def _declared(header: bytes, path: Path, axes: int) -> int:
    """The number of elements that a header declares. Raises ValueError unless it is one `unpack` can go by."""
    wanted = f"an IDX file of {CONTENT[axes]} (uint8, axes: {axes})"
    if len(header) < 4:
        raise ValueError(f"{path}: found {len(header)} bytes, wanted {wanted}")
    zeros, kind, found_axes = struct.unpack(">HBB", header[:4])
    if zeros != 0:
        raise ValueError(f"{path}: found {header[:4].hex(' ')} at its start, wanted {wanted}, that is 00 00 08 0{axes}")
    if kind != UINT8:
        raise ValueError(f"{path}: found element type 0x{kind:02x}, wanted {wanted}, type 0x08")
    if found_axes != axes:
        also = f" ({CONTENT[found_axes]})" if found_axes in CONTENT else ""
        raise ValueError(f"{path}: found axes: {found_axes}{also}, wanted {wanted}")
    if len(header) < 4 + 4 * axes:
        raise ValueError(f"{path}: found a header of {len(header)} bytes, wanted {4 + 4 * axes}")
    sizes = struct.unpack(f">{axes}I", header[4:])
    declared = math.prod(sizes)
    if not 1 <= declared <= LIMIT:
        raise ValueError(f"{path}: found declared sizes {sizes}, wanted 1 to {LIMIT} elements")
    return declared
