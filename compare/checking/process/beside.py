"""The files beside the code under test: imported by that code as when it is run alone, and by nobody else.

Its folder stands last on the path, so that NumPy's `import random` gets Python's. What the code itself imports is
looked for in its folder first; a file there whose name is taken (random.py, numpy_cnn.py) becomes `checked_random`.
A package that is not installed is no reason to judge nothing: `Absent` stands for it until something uses it.
"""

import ast
import builtins
import importlib.util
import inspect
import sys
import sysconfig
import types
from functools import cache
from importlib.machinery import PathFinder
from pathlib import Path

FOLDERS: list[Path] = []
PREFIX = "checked_"
ABSENT: dict[str, str] = {}  # by name, why it is not there
# what installs these is told
FRAMEWORKS = ("torch", "tensorflow", "keras", "jax", "onnx", "onnxruntime")
TRANSPARENT = ("numba", "tqdm")  # what these are called with computes as well without them
LIKE_NUMPY = ("cupy",)  # NumPy stands for these, whose functions it has
RANGES = ("prange", "trange")  # but for theirs of Python's range
LEFT_OUT = "__left_out__"
_INSTALLED = {"site-packages", "dist-packages"}
_plain_import = builtins.__import__


class AbsentError(Exception):
    """The code uses something that is not there: a package, or what a statement gives that was not run."""


class Absent:
    """In the place of what is not there: it can be named, and be a base class, and raises once it is used.

    Of a call that a module makes as it is loaded, as of a decorator, nothing comes either; in a function it raises.
    """

    def __init__(self, reason, transparent=False):
        self._reason, self._transparent = reason, transparent

    def __getattr__(self, name):
        if name[:2] == "__":
            raise AttributeError(name)
        return range if self._transparent and name in RANGES else self

    def __mro_entries__(self, bases):
        """As a base class it is none."""
        return ()

    def __call__(self, *arguments, **_):
        """Nothing, or of a package that changes no number its argument."""
        if self._transparent:
            return arguments[0] if arguments else self
        if not sys._getframe(1).f_code.co_flags & inspect.CO_OPTIMIZED:  # no function: a module, or a class in it
            return self
        return self._use()

    def _use(self, *_):
        raise AbsentError(self._reason)

    __getitem__ = __iter__ = __len__ = __bool__ = __array__ = __enter__ = __setitem__ = _use
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __matmul__ = _use
    __rmatmul__ = __pow__ = __neg__ = __lt__ = __le__ = __gt__ = __ge__ = __float__ = __int__ = __index__ = _use


def left_out(name):
    """What a statement would give that was not run."""
    return Absent(f"{name} comes of a statement that was left out")


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
        if inside and not file.is_file():  # a folder of which its files speak as of a package
            source = ""
        if source is None:
            spec = importlib.util.spec_from_file_location(name, file, submodule_search_locations=inside)
            assert spec is not None and spec.loader is not None  # there is a loader for every .py file
            module = importlib.util.module_from_spec(spec)
        else:
            module = types.ModuleType(name)
            module.__file__ = str(file)
            vars(module)[LEFT_OUT] = left_out
            if inside:
                module.__path__ = inside
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
    if level or isinstance(fromlist, list) or globals is None or not _is_under_test(globals.get("__file__")):
        return _plain_import(name, globals, locals, fromlist, level)
    file = file_of(top)
    try:
        known = name_for(top, file) if file else top
        if known != top:
            load(known, file)
            name = known + dot + rest
        module = _plain_import(name, globals, locals, fromlist, level)
    except ModuleNotFoundError as error:
        line = sys._getframe(1).f_lineno
        if file or error.name != top or top in FRAMEWORKS or line in _provided(globals["__file__"]):
            raise
        if top in LIKE_NUMPY:
            ABSENT[top] = f"{error}: NumPy stands for it"
            return _like_numpy(top)
        ABSENT[top] = str(error)
        return Absent(f"{top} is wanted: {error}", top in TRANSPARENT)
    except OSError as error:  # one of its own that reads its data as it is loaded
        if not file or sys._getframe(1).f_lineno in _provided(globals["__file__"]):
            raise
        ABSENT[top] = f"{top} was not loaded: {type(error).__name__}: {error}"
        return Absent(ABSENT[top])
    known = top == "numpy" or top in sys.stdlib_module_names  # what these no longer have is told with its line
    installed = not file and not known and getattr(module, "__file__", None) is not None
    gone = [each for each in fromlist or () if installed and each != "*" and not hasattr(module, each)]
    if not gone or sys._getframe(1).f_lineno in _provided(globals["__file__"]):
        return module
    # a name that the installed version no longer has; what does not use it can be judged all the same
    stand = types.ModuleType(name)
    vars(stand).update(vars(module))
    for each in gone:
        ABSENT[f"{name}.{each}"] = reason = f"{name} has no {each}"
        vars(stand)[each] = Absent(reason)
    return stand


@cache
def _provided(file):
    """Lines on which a file tries an import and goes on without it."""
    try:
        tree = ast.parse(Path(file).read_bytes())
    except (OSError, ValueError, SyntaxError):  # a notebook, or a text that is none
        return frozenset()
    tries = [node for node in ast.walk(tree) if isinstance(node, ast.Try) and node.handlers]
    lines = [range(each.lineno, (each.end_lineno or each.lineno) + 1) for node in tries for each in node.body]
    return frozenset(line for several in lines for line in several)


def _like_numpy(name):
    """NumPy under another name, with the functions beside that go from the one to the other; the rest does nothing."""
    numpy = _plain_import("numpy")
    module = types.ModuleType(name)
    vars(module).update(vars(numpy) | {"__name__": name, "asnumpy": numpy.asarray})
    vars(module)["get_array_module"] = lambda *arrays: module
    vars(module)["__getattr__"] = lambda missing: Absent(f"{name}.{missing} is wanted", transparent=True)
    return module


def _is_under_test(file):
    if not isinstance(file, str):
        return False
    path = Path(file)
    inside = [path.relative_to(folder) for folder in FOLDERS if path.is_relative_to(folder)]
    # an environment, or all of Python, may lie in the folder
    return any(not _INSTALLED & set(each.parts) for each in inside) and not of_python(path)
