"""Somebody else's code: where it is, what it holds, and the subject that can be made of it."""

import difflib
import importlib
import importlib.util
import inspect
import re
import sys
import sysconfig
import traceback
from pathlib import Path

import numpy as np

from compare.checking import functions, layers, models, whole
from compare.checking.chain import chain

_PREFIX = r"^(my|simple|naive|numpy|np|layer|activation)?_?"
LAYER_NAMES = {
    "conv": re.compile(_PREFIX + r"conv(?!erge|ert|ention)", re.I),
    "pool": re.compile(_PREFIX + r"(max_?pool|avg_?pool|average_?pool|mean_?pool|pool)", re.I),
    "logits": re.compile(_PREFIX + r"(dense|fully_?connected|fc|linear|affine|softmax|output)", re.I),
}
FILES = (("conv", "convolution"), ("maxpool", "pool", "max_pool", "pooling"), ("softmax", "dense", "fc", "linear"))
NOT_LAYERS = re.compile("loss|entropy|net(work)?$|model", re.I)
CONTRACT = ("activations", "gradients", "forward_stage", "backward_stage", "predict", "step")
CAUSES = (
    (r"Missing parentheses in call to 'print'", "Python 2: print needs parentheses"),
    (
        r"only (0-dimensional|length-1|size-1) arrays can be converted to Python scalars|0-dimensional arrays can be",
        "an array with one element stands where a number is wanted; NumPy 2.x no longer converts it; "
        "use .item() or index it",
    ),
    (
        r"module 'numpy' has no attribute '(float|int|bool|object|str|complex|long|unicode)'",
        "NumPy removed this alias in 1.24; use Python's own type of the same name, or np.float64, np.int64, np.bool_",
    ),
    (r"name '(xrange|raw_input|unicode|unichr|long|basestring|reduce)' is not defined", "Python 2: {0} is gone"),
    (r"No module named '(cPickle|urllib2|Queue|StringIO|ConfigParser|Tkinter)'", "Python 2: the module {0} is gone"),
)


class NothingFoundError(ValueError):
    """The code holds nothing that can be checked; the message says what was looked for and what there is."""


class ImportFailedError(Exception):
    """The code fails while it is imported; the message is by `explain`."""


def explain(error):
    """One line: "TypeError at my_cnn.py:41: message", and why, for what old code is known to fail with.

    The place is the last one in the user's code: not in NumPy, Python's library or this project.
    """
    message = " ".join(str(error.msg if isinstance(error, SyntaxError) else error).split())
    where = ""
    if isinstance(error, SyntaxError) and error.filename:
        where = f" at {Path(error.filename).name}:{error.lineno}"
    else:
        frames: list = []
        for each in (error, error.__cause__):
            if each is not None and not frames:
                frames = [frame for frame in traceback.extract_tb(each.__traceback__) if _is_users(frame.filename)]
        where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    texts = [str(each) for each in (error, error.__cause__, error.__context__) if each is not None]
    for pattern, cause in CAUSES:
        match = next((match for text in texts if (match := re.search(pattern, text))), None)
        if match:
            return f"{type(error).__name__}{where}: {message} (because: {cause.format(*match.groups())})"
    return f"{type(error).__name__}{where}: {message}"


def _is_users(filename):
    ours, library = Path(__file__).parent.parent, Path(sysconfig.get_paths()["stdlib"])
    inside = [ours, Path(np.__file__).parent, library]
    path = Path(filename)
    if filename.startswith("<") or models.LIBRARIES.search(filename):
        return False
    return not any(path.is_relative_to(folder) for folder in inside)


def find(target):
    """The subject that a target holds: a class with the contract's constructor and those methods that the code offers.

    Args:
        target: a .py file, a folder, a module, or the first or last with ":Name" of one class, or of a function that
            makes a framework's model, or of such a model; or an .onnx file.
    Raises:
        NothingFoundError: nothing there can be checked, or there is no such name.
        FileNotFoundError: no such file, folder or module.
        ImportFailedError: the code raises while it is imported.
        UnavailableError: it needs a framework that is not installed.
        NotOfferedError: an .onnx file of another network.
    """
    if Path(target).suffix.lower() == ".onnx":
        return models.onnx(target)
    place, name = target, ""
    head, colon, tail = target.rpartition(":")
    if colon and tail.isidentifier() and not Path(target).exists():
        place, name = head, tail
    modules = _load(place)
    found = {key: value for module in modules for key, value in vars(module).items() if not key.startswith("__")}
    classes, own = _classes(found, modules), _functions(found, modules)
    listed = models.candidates(found, classes, own)
    if name:
        listed = models.named(name, found.get(name))
        if not listed and not inspect.isclass(found.get(name)):
            raise NothingFoundError(f"{place} has no class {name!r}{_hint(name, classes)}")
        classes = {name: found[name]} if inspect.isclass(found[name]) else {}
        modules = [*modules, sys.modules.get(getattr(found[name], "__module__", ""), modules[0])]
        own = _functions(found, modules) if classes else {}
    files = [file for module in modules if (file := getattr(module, "__file__", None))]
    subject = _contract(classes)
    failed: list = []
    plain = {key: cls for key, cls in classes.items() if not models.from_framework(cls)}
    if subject is None and not (name and listed):
        subject, failed = _layers(plain, own, files)
    if subject is None and not name:
        subject = functions.subject(own, files)
    if subject is None:
        subject = whole.subject(plain, files)
    if listed:
        subject, failed = models.beside(subject, listed, failed)
    if subject is not None:
        return subject
    there = [*classes, *own]
    raise NothingFoundError(
        f"nothing to check in {target}: looked for a class with set_parameters (the contract), for layer classes named "
        "Conv..., MaxPool..., Softmax... or Dense..., for functions named conv, maxpool, dense, softmax or "
        f"cross_entropy, and for a class of a whole network, of NumPy, torch.nn or Keras; found "
        + (", ".join(there) or "no class and no function")
        + _near(there)
        + (f"; {'; '.join(failed)}" if failed else "")
    )


def _hint(name, known):
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.3)
    return f"; did you mean {near[0]!r}?" if near else f"; found {', '.join(known) or 'none'}"


def _near(names):
    wanted = ("Conv3x3", "MaxPool2", "Softmax", "Dense", "conv_forward", "maxpool_forward", "softmax", "cross_entropy")
    pairs = [(name, difflib.get_close_matches(name, wanted, n=1, cutoff=0.6)) for name in names]
    return "".join(f"; {name} is near to {near[0]}" for name, near in pairs if near)


def _load(place):
    path = Path(place)
    if path.is_dir():
        names = [next((stem for stem in stems if (path / f"{stem}.py").is_file()), None) for stems in FILES]
        files = [path / f"{stem}.py" for stem in names if stem]
        if not files and (path / "__init__.py").is_file():
            files = [path / "__init__.py"]
        if not files:
            files = sorted(path.glob("*.py"))
            if len(files) != 1:
                raise NothingFoundError(
                    f"{place} has none of conv.py, maxpool.py (pool.py), softmax.py (dense.py), and "
                    f"{len(files)} other .py files: name one of them"
                )
        return [_import(file) for file in files]
    if path.is_file():
        return [_import(path)]
    if path.suffix == ".py" or "/" in place or "\\" in place:
        raise FileNotFoundError(f"no file or folder {place}")
    try:
        known = importlib.util.find_spec(place)
    except ModuleNotFoundError as error:
        if missing := models.unavailable(error):
            raise missing from error
        known = None
    except Exception as error:  # the package around it runs its own code on import
        raise ImportFailedError(explain(error)) from error
    if known is None:
        raise FileNotFoundError(f"no file, folder or module {place}")
    return [_run(lambda: importlib.import_module(place))]


def _import(file):
    """Import a file by its path, its folder (of its outermost package) in front of the search path."""
    file = file.resolve()
    folder, parts = file.parent, [] if file.stem == "__init__" else [file.stem]
    while (folder / "__init__.py").is_file():
        folder, parts = folder.parent, [folder.name, *parts]
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    if len(parts) > 1 or file.stem == "__init__":
        if str(file.parent) not in sys.path:  # files of a package are often written to be run beside each other
            sys.path.insert(1, str(file.parent))
        return _run(lambda: importlib.import_module(".".join(parts)))
    loaded = sys.modules.get(file.stem)
    if loaded is not None and getattr(loaded, "__file__", None) == str(file):
        return loaded
    # a name that Python or another file already has would hide one of the two
    name = file.stem if loaded is None and file.stem not in sys.stdlib_module_names else f"checked_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None and spec.loader is not None  # there is a loader for every .py file
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    loader = spec.loader
    try:
        _run(lambda: loader.exec_module(module))
    except ImportFailedError:
        del sys.modules[name]
        raise
    return module


def _run(load):
    try:
        return load()
    except (Exception, SystemExit) as error:  # the code under test may raise anything, and scripts exit
        if missing := models.unavailable(error):
            raise missing from error
        raise ImportFailedError(explain(error)) from error


def _own(thing, modules):
    """Whether something was written in one of the modules, or beside them: not in NumPy or Python's library."""
    module = getattr(thing, "__module__", None)
    file = getattr(sys.modules.get(module or ""), "__file__", None)
    return module in [each.__name__ for each in modules] or (file is not None and _is_users(file))


def _classes(found, modules):
    own = {name: value for name, value in found.items() if inspect.isclass(value) and _own(value, modules)}
    names = [module.__name__ for module in modules]
    first = sorted(own, key=lambda name: own[name].__module__ not in names)  # what is only imported comes last
    return {name: own[name] for name in first if not issubclass(own[name], BaseException)}


def _functions(found, modules):
    return {name: value for name, value in found.items() if inspect.isfunction(value) and _own(value, modules)}


def _contract(classes):
    for cls in classes.values():
        if hasattr(cls, "set_parameters") and any(hasattr(cls, method) for method in CONTRACT):
            return whole.as_contract(cls)
    return None


def _layers(classes, own_functions, files):
    """(subject or None, why classes were left out): of layer classes; softmax and loss may be functions beside them."""
    chosen: dict = {}
    for stage, pattern in LAYER_NAMES.items():
        names = [name for name in classes if pattern.match(name) and not NOT_LAYERS.search(name)]
        for cls in [classes[name] for name in sorted(names, key=lambda name: bool(re.match("softmax", name, re.I)))]:
            if layers.method_of(cls, layers.FORWARDS):
                chosen.setdefault(stage, []).append(cls)
    plans: dict = {}
    failed: list = []
    for stage, several in chosen.items():
        for cls in several:
            first = next((plans[key].channels_first() for key in ("pool", "conv") if key in plans), False)
            try:
                plan = layers.find_layer(cls, stage, files, first)
            except LookupError as error:
                if re.match("(activation_?)?softmax", cls.__name__, re.I) and not layers.has_weights(cls):
                    plans.setdefault("probabilities", layers.find_layer(cls, "probabilities", files))
                    continue
                failed.append(f"{error}" + (f": {explain(error.__cause__)}" if error.__cause__ else ""))
                continue
            if not any(key in plans for key in (plan.stage, "logits", "head")):
                plans[plan.stage] = plan
            if stage != "logits":  # of dense layers a second class may be the softmax
                break
    if not plans:
        return None, failed
    loss = functions.find_loss(own_functions)
    if "probabilities" not in plans and (softmax := functions.find_softmax(own_functions, files, plans.get("logits"))):
        plans["probabilities"] = softmax
    return chain(plans, loss, [f"not checked: {reason}" for reason in failed]), failed
