"""Files written whole or not at all."""

import os
import tempfile
from pathlib import Path


def check_writable(path):
    """Raise now, and not after minutes of work, where a file could not be written. None is fine.

    Raises:
        ValueError: the path is empty.
        OSError: it cannot be written.
    """
    if path is None:
        return
    if os.fspath(path) == "":
        raise ValueError("file: found '', wanted a path")
    path = Path(path)
    if _is_device(path):
        return
    probe = path.with_name(f".{path.name}.probe")
    probe.touch()
    probe.unlink()


def write_text(path, text):
    """`write_bytes` of the text in UTF-8."""
    write_bytes(path, text.encode())


def write_bytes(path, content):
    """Write a file whole or not at all, whoever else writes the same one at the same time.

    A device or a pipe, such as /dev/stdout, is written to as it is.
    """
    path = Path(path)
    if _is_device(path):
        path.write_bytes(content)
        return
    # beside it: only within one file system is a replace one step
    with tempfile.TemporaryDirectory(prefix=".part-", dir=path.parent) as folder:
        temporary = Path(folder) / path.name
        temporary.write_bytes(content)
        temporary.replace(path)


def _is_device(path):
    return path.exists() and not path.is_file() and not path.is_dir()
