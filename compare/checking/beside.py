"""The files beside the code under test: imported by that code as when it is run alone, and by nobody else.

Its folder stands last on the path, so that NumPy's `import random` gets Python's. What the code itself imports is
looked for in its folder first; a file there whose name is taken (random.py, numpy_cnn.py) becomes `checked_random`.
"""

import builtins
import importlib.util
import sys
import sysconfig
import types
from importlib.machinery import PathFinder
from pathlib import Path

FOLDERS: list[Path] = []
PREFIX = "checked_"
_INSTALLED = {"site-packages", "dist-packages"}
_plain_import = builtins.__import__


def add(folder):
    """Let the code in a folder import what is beside it."""
    if folder not in FOLDERS:
        FOLDERS.append(folder)
        sys.path.append(str(folder))


def serve():
    """Look for what the code imports in its folders first, from now on."""
    builtins.__import__ = _import


def of_python(path):
    """Whether a file is of Python's library; what is installed lies inside it, outside of a virtual environment."""
    library = Path(sysconfig.get_paths()["stdlib"])
    return path.is_relative_to(library) and not _INSTALLED & set(path.relative_to(library).parts)


def file_of(top):
    """The file or package of a name in one of the folders; None without one."""
    places = [place for folder in FOLDERS for place in (folder / f"{top}.py", folder / top / "__init__.py")]
    return next((place for place in places if place.is_file()), None)


def name_for(top, file):
    """The name under which a file or package is imported: its own, unless it is somebody else's."""
    if top in sys.modules:
        return top if getattr(sys.modules[top], "__file__", None) == str(file) else PREFIX + top
    if top in sys.stdlib_module_names:
        return PREFIX + top
    spec = PathFinder.find_spec(top)
    return top if spec is not None and spec.origin == str(file) else PREFIX + top


def load(name, file, source=None):
    """The module of a file, or the package of an __init__.py, under this name; run once.

    Args:
        source: a text to run in the place of what is in the file.
    Raises:
        BaseException: whatever it raises; it is not kept then.
    """
    if name not in sys.modules:
        inside = [str(file.parent)] if file.stem == "__init__" else None
        if source is None:
            spec = importlib.util.spec_from_file_location(name, file, submodule_search_locations=inside)
            assert spec is not None and spec.loader is not None  # there is a loader for every .py file
            module = importlib.util.module_from_spec(spec)
        else:
            module = types.ModuleType(name)
            module.__file__ = str(file)
        sys.modules[name] = module
        try:
            if source is None:
                module.__spec__.loader.exec_module(module)  # type: ignore[union-attr]
            else:
                exec(compile(source, str(file), "exec"), vars(module))
        except BaseException:
            sys.modules.pop(name, None)
            raise
    return sys.modules[name]


def _import(name, globals=None, locals=None, fromlist=(), level=0):
    top, dot, rest = name.partition(".")
    # what C code imports for itself comes with the globals of whoever called it, and with a list: see PyImport_Import
    if (
        level == 0
        and not isinstance(fromlist, list)
        and globals is not None
        and _is_under_test(globals.get("__file__"))
        and (file := file_of(top))
    ):
        known = name_for(top, file)
        if known != top:
            load(known, file)
            name = known + dot + rest
    return _plain_import(name, globals, locals, fromlist, level)


def _is_under_test(file):
    if not isinstance(file, str):
        return False
    path = Path(file)
    inside = [path.relative_to(folder) for folder in FOLDERS if path.is_relative_to(folder)]
    # an environment, or all of Python, may lie in the folder
    return any(not _INSTALLED & set(each.parts) for each in inside) and not of_python(path)
