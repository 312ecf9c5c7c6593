"""Files written whole or not at all."""

import os
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from compare.plain_files import locked, replacing, scratch


def check_writable(path):
    """Raise now, and not after minutes of work, where a file could not be written. None is fine.

    Raises:
        ValueError: the path is empty.
        OSError: it cannot be written; the message has the path, as it was given.
    """
    if path is None:
        return
    if os.fspath(path) == "":
        raise ValueError("file: found '', wanted a path")
    path = Path(path)
    if _is_device(path):
        return
    place = Path(os.path.realpath(path))
    if place.is_dir():
        raise ValueError(f"{path}: found a folder, wanted a file or nothing")
    # a folder of its own beside it, as when it is written: the name may be too long, or none that this disk takes
    try:
        with scratch(place.parent, ".part-") as folder:
            (folder / place.name).touch()
    except OSError as error:  # of the folder of our own, whose name says nothing to anybody
        raise type(error)(error.errno, error.strerror, str(path)) from error


def write_text(path, text):
    """`write_bytes` of the text in UTF-8; of a file name that is none, escapes."""
    write_bytes(path, text.encode(errors="backslashreplace"))


def write_bytes(path, content):
    """Write a file whole or not at all, whoever else writes the same one at the same time.

    A device or a pipe, such as /dev/stdout, is written to as it is; a link stays one.
    """
    path = Path(path)
    if _is_device(path):
        path.write_bytes(content)
        return
    with replacing(path) as temporary:
        temporary.write_bytes(content)


@contextmanager
def taken(folder):
    """Make a folder, and have it to oneself until the block ends; one that stayed empty is removed again.

    Raises:
        ValueError: another command has it.
        OSError: it cannot be made.
    """
    folder = Path(folder)
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with ExitStack() as held:
            try:
                held.enter_context(locked(folder))
            except BlockingIOError as error:
                raise ValueError(
                    f"{folder}: found another command that is writing there, wanted one at a time"
                ) from error
            except OSError:
                pass  # a file system without locks: two at once end as they did
            yield
    finally:
        for place in made:
            with suppress(OSError):  # it holds something
                place.rmdir()


def _is_device(path):
    return path.exists() and not path.is_file() and not path.is_dir()
