"""Download MNIST from its mirrors: in bounds, checked by SHA-256, whole or not at all."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from compare.images import idx
from compare.images.data import cache_folder, need
from compare.plain_files import scratch

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",  # PyTorch's own
    "https://storage.googleapis.com/cvdf-datasets/mnist/",  # Common Visual Data Foundation; TensorFlow Datasets' own
    "https://raw.githubusercontent.com/fgnt/mnist/master/",
)
TIMEOUT = 30  # seconds without a byte
LARGEST = 1 << 26  # bytes that a mirror may send for one file; the largest has 47 million unpacked


def fetch(
    folder: str | os.PathLike[str] | None = None, mirrors: Sequence[str] = MIRRORS, progress: bool | None = None
) -> Path:
    """Download MNIST, 11 MB. A file that is there and right is kept, so that a second call continues the first.

    Args:
        folder: where to; None for the cache.
        mirrors: addresses of folders, tried in turn for each file; https, or http of this machine itself.
        progress: whether to show a bar; None where stderr is a terminal.
    Returns:
        The folder, with all four files in it.
    Raises:
        ValueError: a file is there and is not MNIST's (it is never touched), or a mirror is not https.
        ConnectionError: no mirror gave a file; the message has each one's reason. Nothing unfinished is left behind.
        ImportError: pooch is missing; the message gives the pip line.
    """
    bases = [_base(mirror) for mirror in mirrors]
    folder = cache_folder() if folder is None else Path(folder)
    wanted = []
    for name, _ in idx.FILES.values():
        path = idx.find(folder, name)
        if path is None:
            wanted.append(name)
            continue
        try:
            idx.verified(path, name)
        except ValueError as error:
            raise ValueError(f"{error}; it is left as it is: move it away, then fetch again") from error
    if wanted:
        terminal = sys.stderr is not None and sys.stderr.isatty()
        bar = terminal if progress is None else progress
        downloader = need("pooch").HTTPDownloader(progressbar=bar, chunk_size=1 << 16, timeout=TIMEOUT)
        folder.mkdir(parents=True, exist_ok=True)
        # In the folder itself: only within one file system is a replace one step.
        with scratch(folder, ".fetch-") as unfinished:
            for name in wanted:
                _download(name, bases, downloader, unfinished / name)
                (unfinished / name).replace(folder / f"{name}.gz")
    return folder


def _base(mirror: str) -> str:
    """The address with a slash at its end. Raises ValueError unless it is https, or http of this machine."""
    url = urlsplit(mirror)
    if url.scheme != "https" and (url.scheme, url.hostname) not in (("http", "127.0.0.1"), ("http", "localhost")):
        raise ValueError(f"mirror: found {mirror!r}, wanted an address that begins with https://")
    return mirror.rstrip("/") + "/"


def _download(name: str, bases: list[str], downloader: Any, path: Path) -> None:
    """One file, from the first mirror that has the right bytes. Raises ConnectionError when none has."""
    reasons = []
    for base in bases:
        try:
            with path.open("wb") as file:
                downloader(f"{base}{name}.gz", _Bounded(file), None)
            idx.verified(path, name)
            return
        except (OSError, ValueError) as error:  # what `requests` raises is an OSError
            reasons.append(f"  {base}: {' '.join(str(error).removeprefix(f'{path}: ').split())}")
    raise ConnectionError(
        "\n".join([f"{name}: no mirror gave it, of {len(bases)}; MNIST_DIR may name a folder that has it", *reasons])
    )


class _Bounded:
    """A file to write LARGEST bytes to and no more: a mirror must not fill the disk."""

    def __init__(self, file: Any) -> None:
        self.file = file

    def write(self, chunk: bytes) -> None:
        if self.file.tell() + len(chunk) > LARGEST:
            raise ValueError(f"found more than {LARGEST} bytes, wanted MNIST's file")
        self.file.write(chunk)

    def flush(self) -> None:
        self.file.flush()
