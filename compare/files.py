"""Files written whole or not at all."""

import tempfile
from pathlib import Path


def check_writable(path):
    """Raise OSError now, and not after minutes of work, where a file could not be written. None is fine."""
    if path is None:
        return
    path = Path(path)
    probe = path.with_name(f".{path.name}.probe")
    probe.touch()
    probe.unlink()


def write_text(path, text):
    """Write a file whole or not at all."""
    temporary = Path(path).with_name(f".{Path(path).name}.part")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path, content):
    """Write a file whole or not at all, whoever else writes the same one at the same time."""
    # beside it: only within one file system is a replace one step
    with tempfile.TemporaryDirectory(prefix=".part-", dir=Path(path).parent) as folder:
        temporary = Path(folder) / Path(path).name
        temporary.write_bytes(content)
        temporary.replace(path)
