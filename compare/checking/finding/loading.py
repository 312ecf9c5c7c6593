"""The files of a target, loaded in the process of the code."""

import contextlib
import os
import re
import sys
from importlib.machinery import PathFinder
from pathlib import Path

from compare.cells import guard
from compare.checking.calling.explaining import explain
from compare.checking.finding import models, notebook
from compare.checking.process.stranger import PROJECT, Stranger
from compare.checking.process.things import CrashedError, HungError, RaisedError
from compare.contract import UnavailableError

FILES = (("conv", "convolution"), ("maxpool", "pool", "max_pool", "pooling"), ("softmax", "dense", "fc", "linear"))
# What a file beside another may hold that its layers lack.
BESIDE = re.compile(r"^class (sgd|gradient_?descent|\w*(cross_?entropy|nll)\w*)\b", re.I | re.M)
IMPORTED = re.compile(r"^\s*(?:from|import)\s+([A-Za-z_]\w*)", re.M)
DEFINED = re.compile(r"^(async )?(def|class) ", re.M)
RELATIVE = re.compile(r"^\s*from\s+(\.+)", re.M)
LAYERS = re.compile(r"^(class|def) \w*(conv|pool)", re.I | re.M)
OWN = re.compile(r"^(class|def) \w*(conv|pool|dense|linear|softmax|fully_?connect|cnn|network)", re.I | re.M)
FRAMEWORKS = re.compile(r"^\s*(from|import) (torch|tensorflow|keras|jax)\b", re.M)
SKIPPED = re.compile(r"(test_.*|.*_test|setup|conftest)\.py$")

LARGEST = 1 << 24  # bytes of a source: more is data, or damage
NO_SOURCE = f"found no file of at most {LARGEST >> 20} MiB that can be read"


class NothingFoundError(ValueError):
    """The code holds nothing that can be checked; the message says what was looked for and what there is."""


class ImportFailedError(Exception):
    """The code fails while it is imported; the message is by `explain`. outcome: "raised", "crashed" or "hung"."""

    def __init__(self, message, outcome="raised"):
        super().__init__(message)
        self.outcome = outcome


def split(target):
    """(place, name) of a target: "FILE:Name" is two."""
    head, colon, tail = target.rpartition(":")
    if colon and tail.isidentifier() and not Path(target).exists():
        return head, tail
    return target, ""


def _is_source(path):
    """Whether something named like a source can be read as one: a pipe, a device or a folder never ends, or is none."""
    return path.is_file() and path.stat().st_size <= LARGEST and os.access(path, os.R_OK)


def inside(place):
    """The folder itself, or where no file in it defines a layer, the nearest one inside that has some that do."""
    path = Path(place)
    if not path.is_dir():
        return place
    deeper = [file for depth in range(1, 4) for file in path.glob("*/" * depth + "*.py")]
    shown = [file for file in deeper if not SKIPPED.match(file.name) and not _hidden(file.relative_to(path))]
    files = [file for file in shown if _is_source(file)]
    found = {file.parent for file in files if LAYERS.search(file.read_text(errors="replace"))}
    nearest = min(found, key=lambda folder: (len(folder.parts), str(folder)), default=path)
    return place if nearest == path else str(nearest)


def _hidden(path):
    return any(part[0] == "." or part in ("site-packages", "tests", "test", "build") for part in path.parts)


def files_of(place):
    """The files that a place stands for: all of a folder, those first that are named like layers.

    Raises:
        NothingFoundError: one file that is too large, or that may not be read.
    """
    path = Path(place)
    if path.is_file() and not _is_source(path):
        raise NothingFoundError(f"{place}: {NO_SOURCE}")
    if not path.is_dir():
        return [path.resolve()] if path.is_file() else []
    names = [next((stem for stem in stems if _is_source(path / f"{stem}.py")), None) for stems in FILES]
    first = [path / f"{stem}.py" for stem in names if stem]
    if not first and _is_source(path / "__init__.py"):
        first = [path / "__init__.py"]
    rest = [file for file in sorted(path.glob("*.py")) if file not in first and not SKIPPED.match(file.name)]
    rest = [file for file in rest if _is_source(file)]
    return [file.resolve() for file in [*first, *rest]]


def load(place, stranger, left_out, unconnected):
    """Numbers of the loaded modules. Of a folder what cannot be loaded is left out, unless nothing can.

    If it is somebody's own layers, and they are not a framework's, it is `unconnected`: (name, why).
    """
    files = files_of(place)
    path = Path(place)
    left_out += [f"{file.name} was left out: {NO_SOURCE}" for file in path.glob("*.py") if not _is_source(file)]
    if path.is_dir() and not files:
        raise NothingFoundError(f"{place} has no .py files")
    if not files and (path.suffix in (".py", ".ipynb") or not all(part.isidentifier() for part in place.split("."))):
        raise FileNotFoundError(f"no file or folder {place}")
    if not files:
        return [_module(place, stranger)]
    if len(files) == 1:
        return [_import(files[0], stranger, left_out)]
    loaded, failed = [], []
    for file in files:
        try:
            loaded.append(_import(file, stranger, left_out, project=True))
        except (ImportFailedError, UnavailableError) as error:
            failed.append(error)
            text = file.read_text(errors="replace")
            if OWN.search(text) and not FRAMEWORKS.search(text):
                unconnected.append((file.name, str(error)))
            else:
                left_out.append(f"{file.name} was left out: {error}")
    if not loaded:
        raise failed[0]
    return loaded


def neighbours(place, stranger, left_out):
    """(file, number of its module) of the files beside one file of a package that define a loss or an optimiser."""
    path = Path(place).resolve()
    if path.suffix != ".py" or not (path.parent / "__init__.py").is_file():
        return []
    found = []
    for file in files_of(path.parent):
        if file == path or not BESIDE.search(file.read_text(errors="replace")):
            continue
        with contextlib.suppress(ImportFailedError, UnavailableError):  # it was not asked about
            found.append((file, _import(file, stranger, left_out, project=True)))
    return found


def _module(place, stranger):
    """A module by its name, where Python finds it from the folder one stands in."""
    return run_loading(lambda: stranger.load("module", name=place), place)


def _import(file, stranger, left_out, project=False):
    """Import a file by its path, under the name that it has in its outermost package.

    Args:
        project: whether it is one of several: then of a script, which computes as it is loaded, definitions are taken.
    """
    source, note = None, None
    if file.suffix == ".ipynb":
        try:
            source, note = notebook.definitions(notebook.cells(file), file.name)
        except ValueError as error:
            raise NothingFoundError(str(error)) from error
    elif file.suffix != ".py":
        raise NothingFoundError(f"{file}: found a file that ends in {file.suffix!r}, wanted .py, .ipynb or .onnx")
    elif project and notebook.computes(text := file.read_text(errors="replace")):
        source, note = notebook.definitions([text], file.name, "file")
    left_out += [note] if note else []
    folder, parts = file.parent, [] if file.stem == "__init__" else [file.stem]
    above = 0 if source else _above(file)
    while source is None and ((folder / "__init__.py").is_file() or len(parts) <= above):
        folder, parts = folder.parent, [folder.name, *parts]
    outermost = folder / parts[0] / "__init__.py" if file.parent != folder else file
    try:
        return run_loading(lambda: stranger.load("file", outermost=str(outermost), parts=parts, source=source), file)
    except ImportFailedError as failed:
        reason = failed
        if len(parts) > 1 and not above:  # the package may fail around a file that does not need it
            try:
                return run_loading(lambda: stranger.load("file", outermost=str(file), parts=parts[-1:]), file)
            except ImportFailedError as own:
                reason = own
        # a script may want its data, or never come to its end: what it defines can be judged all the same
        taken = None if source else _defined(file, reason, left_out)
        if taken is None:
            raise reason from reason.__cause__
        again = {"outermost": str(file), "parts": [file.stem], "source": taken}
        try:
            return run_loading(lambda: stranger.load("file", **again), file)
        except ImportFailedError:
            raise reason from None


def _above(file):
    """How many folders up a file's relative imports reach: these are packages, whether or not they say so."""
    return max(map(len, RELATIVE.findall(file.read_text(errors="replace"))), default=0)


def _defined(file, error, left_out):
    """The text of what a file defines, which fails as a whole; None where that is all of it, or it is no Python."""
    cause = error.__cause__
    if isinstance(cause, RaisedError) and "SyntaxError" in cause.raised["bases"] or guard.MET in str(error):
        return None
    source, note = notebook.definitions([file.read_text(errors="replace")], file.name, "file")
    if note is None or not DEFINED.search(source):
        return None
    left_out.append(f"{note}; as a whole it fails: {error}")
    return source


def run_loading(load, place):
    """What loading gives; ImportFailedError, UnavailableError or FileNotFoundError for what it raises."""
    try:
        return load()
    except (CrashedError, HungError) as error:
        raise ImportFailedError(str(error), "hung" if isinstance(error, HungError) else "crashed") from error
    except RaisedError as error:
        name = error.raised["name"] or ""
        if "ModuleNotFoundError" in error.raised["bases"]:
            if missing := models.unavailable(name, error.raised["texts"][0]):
                raise missing from error
            if name and str(place).startswith(name) and not isinstance(place, Path):
                raise FileNotFoundError(f"no file, folder or module {place}") from error
        raise ImportFailedError(explain(error)) from error


def stranger_of(target, threads, limit):
    """The `Stranger` for a target: where it stands, what is on its search path."""
    place, _ = split(target)
    path = Path(place).resolve()
    if not path.exists():
        return Stranger([Path.cwd()], [place], threads, limit)
    folder = path if path.is_dir() else path.parent
    folders, root = [folder], folder
    while (root / "__init__.py").is_file():
        root = root.parent
    folders.append(root)
    # files are often written to be run from the root of their repository, or from a folder above
    wanted = _imported(files_of(place))
    folders += [above for above in root.parents[:4] if above != PROJECT and any(_holds(above, name) for name in wanted)]
    folders += [above for above in (root, *root.parents) if (above / ".git").exists() and above != PROJECT][:1]
    return Stranger(list(dict.fromkeys(folders)), [str(path)], threads, limit)


def _imported(files):
    """The names that files import and that are not installed here."""
    found = {name for file in files for name in IMPORTED.findall(file.read_text(errors="replace"))}
    return {name for name in found if name not in sys.stdlib_module_names and PathFinder.find_spec(name) is None}


def _holds(folder, name):
    return (folder / f"{name}.py").is_file() or (folder / name).is_dir()
