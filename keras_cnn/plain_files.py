"""Files that come from anywhere: read with a bound, written whole or not at all.

The same file stands in `numpy_cnn`, `torch_cnn`, `keras_cnn` and `compare`: each folder works alone, and what runs
somebody's code loads none of the networks. A test holds them equal.
"""

import ast
import io
import math
import os
import re
import shutil
import stat
import struct
import tempfile
import time
import zipfile
import zlib
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import numpy as np

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

MEMBERS = 100  # of a zip file: a weight file has ten, and each that is listed costs memory before it is looked at
BETWEEN = {False: (0,), True: (12, 16, 20, 24)}  # bytes behind a member: none, or its sizes once more, if it streamed
HEADER = 1 << 10  # bytes of a .npy header; NumPy's has 128
STALE = 5  # seconds: between its making and its lock a folder is held by nobody
MESSAGE = 300  # characters of what a library says of a damaged file: it may quote all of the file


def read_regular(path, most):
    """The bytes of a regular file of at most `most` bytes; a link is followed.

    Raises:
        ValueError: a pipe (which would be waited for), a device (which need not end), a folder, or a larger file; the
            message begins with the path.
        OSError: the file cannot be read.
    """
    regular_size(path)
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):  # it was exchanged since
            raise ValueError(f"{path}: found no regular file, wanted one")
        if found.st_size > most:
            raise ValueError(f"{path}: found {found.st_size} bytes, wanted at most {most}")
        content = file.read(found.st_size + 1)  # memory for as many is taken at once
    if len(content) != found.st_size:
        raise ValueError(f"{path}: found another size than the {found.st_size} bytes listed: it is being written to")
    return content


def regular_size(path):
    """The bytes that a regular file has. Asked before it is opened: to open a pipe alone may wait for ever.

    Raises:
        ValueError: no regular file; the message begins with the path.
        OSError: there is none, or it is not to be read.
    """
    found = Path(path).stat()
    if not stat.S_ISREG(found.st_mode):
        raise ValueError(f"{path}: found no regular file, wanted one")
    return found.st_size


@contextmanager
def replacing(path):
    """A temporary path beside `path` that takes its place when the block ends well, and is removed when not.

    A link stays one: what it leads to is replaced.

    Raises:
        ValueError: there is something that is no regular file, and would be lost.
        OSError: the place cannot be written.
    """
    place = Path(os.path.realpath(path))
    if os.path.lexists(place) and not place.is_file():
        raise ValueError(f"{path}: found no regular file, wanted one to replace, or none")
    with scratch(place.parent, ".part-") as folder:  # only within one file system is a replace one step
        yield folder / place.name
        (folder / place.name).replace(place)


@contextmanager
def scratch(place, prefix):
    """A new folder in `place`, removed when the block ends; those of that prefix whose makers were killed go too."""
    for left in abandoned(place, prefix):
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=prefix, dir=place) as folder, ExitStack() as held:
        with suppress(OSError):  # a file system without locks: then nobody sweeps, either
            held.enter_context(locked(folder))
        yield Path(folder)


@contextmanager
def locked(folder):
    """Hold a folder against other processes, until the block or this process ends, however it ends.

    Raises:
        BlockingIOError: another process holds it.
        OSError: there are no locks here.
    """
    if fcntl is None:
        raise OSError("this system has no locks of folders")
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def abandoned(place, prefix):
    """Folders of `scratch` that nobody holds any more, made by this user, and older than STALE."""
    found = []
    with suppress(OSError), os.scandir(place) as entries:
        for entry in entries:
            if not (entry.name.startswith(prefix) and entry.is_dir(follow_symlinks=False)):
                continue
            with suppress(OSError):  # held, or gone since
                about = entry.stat(follow_symlinks=False)
                if time.time() - about.st_mtime > STALE and about.st_uid == os.getuid():
                    with locked(entry.path):
                        found.append(Path(entry.path))
    return found


def zip_members(content, most=MEMBERS):
    """{name: ZipInfo} of a zip file, given as bytes, of plain members that lie one after the other.

    What two readers may see differently is refused: folders, members of one name, members that overlap, bytes that
    belong to none, a comment. A name that vanished from the listing leaves such bytes.

    Raises:
        ValueError: any of that, or no zip file.
    """
    if content[-22:-18] != b"PK\x05\x06":
        raise ValueError("truncated, oversized or no zip file (no end record in its last 22 bytes)")
    if content.count(b"PK\x01\x02") > most:
        raise ValueError(f"found more than {most} members")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            listed, end = archive.infolist(), archive.start_dir
        at, streamed = 0, False
        for info in sorted(listed, key=lambda info: info.header_offset):
            if info.header_offset - at not in BETWEEN[streamed]:
                raise ValueError(f"a member at {info.header_offset}, wanted at {at}")
            name, extra = struct.unpack("<HH", content[info.header_offset + 26 : info.header_offset + 30])
            at = info.header_offset + 30 + name + extra + info.compress_size
            streamed = bool(info.flag_bits & 0x8)
    except Exception as error:  # whatever a damaged listing provokes in zipfile
        raise ValueError(f"damaged: {one_line(error)}") from error
    if end - at not in BETWEEN[streamed]:
        raise ValueError("damaged: bytes that belong to no member")
    for info in listed:
        # 0x10 is the mark of a folder, of which PyTorch's reader reads nothing, and says nothing
        if info.is_dir() or info.external_attr & 0x10 or info.flag_bits & 0x1:
            raise ValueError(f"{one_line(repr(info.filename))}: found a folder or an encrypted member, wanted plain")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"{one_line(repr(info.filename))}: found packing {info.compress_type}, wanted 0 or 8")
    names = [info.filename for info in listed]
    if len(set(names)) < len(names):
        raise ValueError(f"found members {one_line(sorted(names))}, wanted each once")
    return {info.filename: info for info in listed}


def unpacked(content, info):
    """The bytes of a member: as many as its listing says, and of its checksum.

    Raises:
        ValueError: fewer, more, or other ones.
    """
    name, extra = struct.unpack("<HH", content[info.header_offset + 26 : info.header_offset + 30])
    begin = info.header_offset + 30 + name + extra
    packed = content[begin : begin + info.compress_size]
    found, ended = packed, True
    if info.compress_type == zipfile.ZIP_DEFLATED:
        inflate = zlib.decompressobj(-15)
        try:
            found = inflate.decompress(packed, info.file_size + 1)  # one more than it may be, whatever there is
        except zlib.error as error:
            raise ValueError(f"{one_line(repr(info.filename))}: damaged: {error}") from error
        ended = inflate.eof and not inflate.unused_data
    if not ended or len(found) != info.file_size or zlib.crc32(found) != info.CRC:
        raise ValueError(f"{one_line(repr(info.filename))}: damaged: the size or checksum is wrong")
    return found


def npy_array(content, wanted=r"[<>|][biufc]\d+|[<>]U\d+"):
    """The array of a .npy file, given as bytes, whose dtype is of the pattern `wanted`.

    NumPy's own reader asks for what the header declares before it looks at what is there.

    Raises:
        ValueError: no header of version 1.0 as NumPy writes it, another dtype, more or fewer bytes than declared.
    """
    begin = 10 + int.from_bytes(content[8:10], "little")
    try:
        if content[:8] != b"\x93NUMPY\x01\x00" or begin > HEADER:
            raise ValueError("no version 1.0, or a long header")
        header = ast.literal_eval(content[10:begin].decode("latin-1").strip())
        kind, fortran, shape = (header[key] for key in ("descr", "fortran_order", "shape"))
        if not (len(header) == 3 and isinstance(kind, str) and isinstance(fortran, bool) and isinstance(shape, tuple)):
            raise ValueError("other entries")
        if not all(type(size) is int and size >= 0 for size in shape):
            raise ValueError(f"shape {shape}")
    except Exception as error:  # whatever a damaged header provokes in Python's parser
        raise ValueError(f"found no .npy header ({one_line(error)}), wanted NumPy's") from error
    if not re.fullmatch(wanted, kind):
        raise ValueError(f"found dtype {one_line(kind)}, wanted one of {wanted}")
    dtype = np.dtype(kind)
    declared = math.prod(shape) * dtype.itemsize
    if len(content) - begin != declared:
        found = len(content) - begin
        raise ValueError(f"declares {dtype} of shape {one_line(shape)}, {declared} bytes, and has {found}")
    return np.frombuffer(content, dtype, offset=begin).reshape(shape, order="F" if fortran else "C").copy("K")


def one_line(what, most=MESSAGE):
    """Text on one line, what cannot be seen escaped, and cut after `most` characters."""
    text = str(what)
    cut = " ".join(text[: 2 * most].split())
    cut = "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in cut)
    return cut if len(cut) <= most and len(text) <= 2 * most else f"{cut[:most]} ..."
