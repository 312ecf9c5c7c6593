"""`probes`: the questions of `check` as files."""

import hashlib
from pathlib import Path

from compare import plain_files
from compare.cells import limits
from compare.exchange.layout import CASES, GIVEN, MANIFEST, PAGE, SUFFIX, encoded, folders, manifest
from compare.exchange.page import page
from compare.verdict import probes


def write_probes(folder, form="npy", seed=0, dtypes=probes.DTYPES):
    """Write what a program in any language is asked, and the page that says what to do; all of it or nothing.

    Args:
        folder: made; one that is there must be empty.
        form: "npy" or "raw", little-endian numbers and nothing else.
        seed: of all numbers.
        dtypes: "float32", "float64" or both.
    Returns:
        The `layout.Folder`s written.
    Raises:
        ValueError: the folder holds something, or the seed is out of range.
        OSError: it cannot be written.
    """
    limits.check_whole("seed", seed, 0, limits.SEED)
    folder = Path(folder)
    check_empty(folder)
    asked, hashes = folders(seed, dtypes), {}
    folder.parent.mkdir(parents=True, exist_ok=True)
    with plain_files.scratch(folder.parent, ".part-") as scratch:
        whole = scratch / "whole"
        for each in asked:
            for inside in (GIVEN, *each.modes):  # not every language can make a folder
                (whole / each.name / inside).mkdir(parents=True)
            for name, value in each.given.items():
                path, content = f"{each.name}/{GIVEN}/{name}{SUFFIX[form]}", encoded(value, form)
                hashes[path] = hashlib.sha256(content).hexdigest()
                (whole / path).write_bytes(content)
        lines = [" ".join(map(str, each.about.values())) for each in asked]
        (whole / CASES).write_text("\n".join([*lines, ""]))
        (whole / PAGE).write_text(page(form, asked))
        (whole / MANIFEST).write_text(manifest(seed, form, dtypes, asked, hashes))
        if folder.exists():
            folder.rmdir()
        whole.rename(folder)
    return asked


def check_empty(folder):
    """Raise ValueError for a place that holds something."""
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder}: found a file, wanted an empty folder or none")
    if folder.is_dir() and any(folder.iterdir()):
        raise ValueError(f"{folder}: found something in it, wanted an empty folder or none")
