"""What a worker of `placing` does: it unpacks the files of a cell, runs it, and packs what it left.

Whoever hands in a cell and whoever runs it must have the same code: both say their `versions`.
"""

import contextlib
import dataclasses
import functools
import importlib.metadata
import io
import platform
import tarfile
import tempfile
import time

from compare import environment, plain, plain_files
from compare.cells import process

PROJECT = "numpy-cnn-parity"
MOST = 1 << 28  # bytes of a folder that goes with a cell


@functools.cache
def versions():
    """What must be the same on all machines: this project's version and code, and packages that numbers depend on."""
    found = {PROJECT: environment.project()}
    for name in environment.PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found | {"python": platform.python_version()}


def other(here, there):
    """In words, the first version that differs of what both have, "" where none does; `there` may be an exception."""
    if isinstance(there, Exception):
        return (
            f"found {type(there).__name__} ({plain.line(there, 200)}), wanted numpy-cnn-parity {here[PROJECT]}, as here"
        )
    for name in here:
        if name in there and there[name] != here[name]:
            return f"found {name} {there[name]}, wanted {here[name]}, as here"
    return ""


def packed(path):
    """The bytes of a file; of a folder those of a tar file with the regular files in it.

    Raises:
        ValueError: a folder of more than MOST bytes.
    """
    if not path.is_dir():
        return path.read_bytes()
    sizes = (each.stat().st_size for each in path.rglob("*") if each.is_file() and not each.is_symlink())
    if (size := sum(sizes)) > MOST:
        raise ValueError(f"{path}: found {size:,} bytes, wanted at most {MOST:,} of a folder that goes to a worker")
    archived = io.BytesIO()
    with tarfile.open(fileobj=archived, mode="w") as archive:
        archive.add(path, ".", filter=lambda info: info if info.isreg() or info.isdir() else None)
    return archived.getvalue()


def _unpacked(folder, content, name, is_folder):
    """The path of a file or folder of that name, made in a new folder out of what `packed` gave."""
    folder.mkdir()
    if not is_folder:
        (folder / name).write_bytes(content)
        return str(folder / name)
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        archive.extractall(folder / name, filter="data")
    return str(folder / name)


def carry_out(spec, files, called, module, wanted):
    """On a worker: run a cell, and give back what it left, a dict of `process.Ended`.

    A text says why it was refused; None, that it was taken back, or that this worker closes.

    Args:
        spec: without its files.
        files: bytes of `packed`, by the key of the spec.
        called: their names, and whether they are folders, by the same.
        module: as for `cells.run`.
        wanted: `versions()` of who asks: this worker may have come later.
    """
    from distributed import get_worker

    worker = get_worker()
    task = worker.state.tasks[worker.get_current_task()]
    if wrong := other(wanted, versions()):
        return f"{worker.address}: {wrong}"
    with plain_files.scratch(tempfile.gettempdir(), "cnn-compare-cell-") as folder:
        paths = {name: _unpacked(folder / f"given-{name}", content, *called[name]) for name, content in files.items()}
        cell = process.Process({**spec, **paths}, folder / "cell", module)
        try:
            while (ended := cell.poll()) is None:
                # Dask cannot stop a thread. The scheduler may be gone, or whoever asked
                if task.state != "executing" or worker.status.name not in ("running", "paused"):
                    return None
                time.sleep(0.02)
        finally:
            cell.kill()
    found = dataclasses.asdict(ended)
    del found["lost"]
    return found
