"""What was handed in: files, folders and zip files; read with a bound, and laid out again where one is alone.

A submission is copied before it runs: beside it lies nobody else's work, and what was handed in stays as it is.
"""

import hashlib
import io
import re
import stat
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from compare import plain
from compare.plain_files import read_regular

MEMBERS = 500  # files of one submission
LARGEST = 20 << 20  # bytes of all of them, unpacked
CODE = (".py", ".ipynb")
LEFT_OUT = {"__MACOSX", "__pycache__", "Thumbs.db", "desktop.ini"}
CREATED_ON_UNIX = 3  # in a zip file, of a member whose mode is that of a file


class UnreadableError(ValueError):
    """It cannot be read as a submission; the message says why."""


class EmptyError(UnreadableError):
    """There is no code in it."""


@dataclass(frozen=True)
class Submission:
    """One thing that was handed in.

    name: as it was handed in. safe: a name of its own for a folder of results, on any file system.
    """

    name: str
    safe: str
    path: Path


def listed(folder, but=None):
    """The `Submission`s directly inside a folder, in the order of their names; `but` is a folder that is none."""
    found: list[Submission] = []
    taken: set[str] = set()
    for path in sorted(Path(folder).iterdir()):
        if not _is_left_out(path.name) and (but is None or path.resolve() != Path(but).resolve()):
            found.append(Submission(path.name, safe_name(path.name, taken), path.absolute()))
    return found


def is_small(path):
    """Whether all that lies there may be read as one submission; of links and what is no file nothing is counted."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(each.stat().st_size for each in files if each.is_file() and not each.is_symlink()) <= LARGEST


def safe_name(name, taken):
    """A name of letters, digits and ".-_" for a folder, which is not in `taken` in any case, and is added there."""
    plain_name = re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip("._-")[:60] or "submission"
    number, found = 1, plain_name
    while found.casefold() in taken:
        number += 1
        found = f"{plain_name}-{number}"
    taken.add(found.casefold())
    return found


def digest(path):
    """SHA-256, as text, of all that a submission holds, by name; of what cannot be read that it cannot."""
    whole = hashlib.sha256()
    try:
        files = {path.name: read_regular(path, LARGEST)} if path.is_file() else _of_folder(path)
        for name, content in sorted(files.items()):
            whole.update(hashlib.sha256(name.encode(errors="surrogateescape")).digest())
            whole.update(hashlib.sha256(content).digest())
    except (OSError, ValueError) as error:
        whole.update(str(error).encode(errors="surrogateescape"))
    return whole.hexdigest()


def files_in(path):
    """{relative name: bytes} of the files of a submission.

    Raises:
        EmptyError: there are none, or they are empty.
        UnreadableError: it is no such thing, is damaged, or is too large.
    """
    path = Path(path)
    try:
        if path.is_symlink():
            raise UnreadableError("found a link, wanted a file or a folder")
        if path.is_dir():
            files = _of_folder(path)
        elif path.suffix.lower() in CODE:
            files = {path.name: read_regular(path, LARGEST)}
        elif path.suffix.lower() == ".zip":
            files = _of_zip(read_regular(path, LARGEST))
        else:
            raise UnreadableError(f"found a file that ends in {path.suffix!r}, wanted .py, .ipynb, .zip or a folder")
    except UnreadableError:
        raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error).removeprefix(f"{path}: ")
        raise UnreadableError(plain.line(reason, 300)) from error
    if not any(content.strip() for name, content in files.items() if name.lower().endswith(CODE)):
        raise EmptyError(f"found no code in it, wanted {' or '.join(CODE)}")
    return files


def laid_out(files, folder):
    """Write the files into an empty folder, and say which file or folder in there is to be checked.

    Raises:
        UnreadableError: it cannot be told which.
    """
    for name, content in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    top = folder
    while not (codes := _code(top)) and len(inner := [each for each in top.iterdir() if each.is_dir()]) == 1:
        top = inner[0]
    scripts = [each for each in codes if each.suffix.lower() == ".py"]
    if not codes:
        raise UnreadableError("found code in several folders, wanted it in one")
    if not scripts and len(codes) > 1:
        raise UnreadableError(f"found {len(codes)} notebooks, wanted one, or .py files")
    return codes[0] if len(scripts) <= 1 and len(codes) == 1 else scripts[0] if len(scripts) == 1 else top


def _code(folder):
    return sorted(each for each in folder.iterdir() if each.is_file() and each.suffix.lower() in CODE)


def _is_left_out(name):
    return name.startswith(".") or name in LEFT_OUT


def _of_folder(folder):
    found: dict[str, bytes] = {}
    left = LARGEST
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if any(map(_is_left_out, name.parts)) or path.is_dir():
            continue
        if path.is_symlink() or any(parent.is_symlink() for parent in path.parents if parent.is_relative_to(folder)):
            raise UnreadableError(f"{plain.line(str(name), 80)}: found a link, wanted files and folders")
        found[name.as_posix()] = read_regular(path, left)
        left -= len(found[name.as_posix()])
        if len(found) > MEMBERS:
            raise UnreadableError(f"found more than {MEMBERS} files")
    return found


def _of_zip(content):
    """The files of a zip file, those of a desktop's making left out."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [info for info in archive.infolist() if not info.is_dir()]
            if len(members) > MEMBERS:
                raise UnreadableError(f"found {len(members)} members, wanted at most {MEMBERS}")
            found: dict[str, bytes] = {}
            left = LARGEST
            for info in members:
                name = _member(info)
                if any(map(_is_left_out, name.parts)):
                    continue
                if str(name) in found:
                    raise UnreadableError(f"{plain.line(str(name), 80)}: found it twice")
                with archive.open(info) as file:
                    found[str(name)] = file.read(left + 1)
                left -= len(found[str(name)])
                if left < 0:
                    raise UnreadableError(f"found more than {LARGEST} bytes packed into it")
            return found
    except UnreadableError:
        raise
    except Exception as error:  # whatever a damaged archive provokes in zipfile
        raise UnreadableError(f"a damaged zip file, or none: {plain.line(error, 200)}") from error


def _member(info):
    """The relative name of a member; UnreadableError for a link, an encrypted one, or a name that leads elsewhere."""
    shown = plain.line(info.filename, 80)
    name = PurePosixPath(info.filename.replace("\\", "/"))
    if name.is_absolute() or ".." in name.parts or not name.parts or ":" in info.filename or "\0" in info.filename:
        raise UnreadableError(f"{shown}: found a name that leads out of it")
    mode = info.external_attr >> 16
    if info.create_system == CREATED_ON_UNIX and mode and not stat.S_ISREG(mode) and stat.S_IFMT(mode):
        raise UnreadableError(f"{shown}: found a link or device, wanted files and folders")
    if info.flag_bits & 0x1:
        raise UnreadableError(f"{shown}: found it encrypted")
    return name
