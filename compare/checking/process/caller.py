"""The process that runs somebody's code, and nothing else: it loads, makes, calls, reads and writes as it is told.

Run by its path with the numbers of two pipes; its standard input is a third, which closes when it is to end. It holds
NumPy, Python's own library, the code, and what watches over it. A message is two lengths, JSON, and the bytes of
arrays, one after the other. Nothing is unpickled but classes and functions that their user hands over without a file.
"""

import contextlib
import fcntl
import importlib
import importlib.util
import inspect
import os
import pickle
import random
import re
import signal
import sys
import threading
import time
import traceback
import types
import warnings
from pathlib import Path


def _by_place(name, folder):
    """A file of this project by its place: none of its packages can be imported here."""
    spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


HERE = Path(__file__).parent
confining, guard = (_by_place(name, HERE.parents[1] / "cells") for name in ("confine", "guard"))
if __name__ == "__main__":  # before NumPy is here, and its threads: what watches is to hold little
    guard.keep()

import numpy as np  # noqa: E402

beside, holding, messages, standing = (_by_place(n, HERE) for n in ("beside", "holding", "messages", "standing"))

MESSAGE = 2000  # characters of what an exception says
OURS = ("numpy_cnn", "torch_cnn", "keras_cnn", "compare")
FRAMEWORKS = ("torch", "tensorflow", "jax", "keras")
# what is opened to import one: the code may take its name out of sys.modules afterwards
IMPORTED = re.compile(rf"[/\\](?:site|dist)-packages[/\\]({'|'.join(FRAMEWORKS)})[/\\](?:__pycache__[/\\])?__init__\.")


def _arrays_in(argument):
    """The arrays that an argument is: itself, or all values of a dict; none for anything else."""
    values = list(argument.values()) if isinstance(argument, dict) else [argument]
    return values if all(isinstance(value, np.ndarray) for value in values) else []


def _same(before, after):
    return len(before) == len(after) and all(
        np.array_equal(one, other, equal_nan=True) for one, other in zip(before, after, strict=True)
    )


class Caller:
    """The code and what was made of it, each thing by a number."""

    def __init__(self, project):
        self.things: dict = {}
        self.count = 0
        self.modules: list = []
        self.project = project
        self.touched: set = set()
        self.imported: set = set()
        self.seeded: set = set()

    def keep(self, thing):
        """The message for a thing that stays here, under a number of its own each time that it is sent."""
        self.count += 1
        self.things[self.count] = thing
        cls = type(thing)
        return {"$": "ref", "of": self.count, "type": f"{cls.__module__}.{cls.__qualname__}"}

    def thing(self, at):
        """What is known by a number, or stands in a module under a name: [which module, name]."""
        return getattr(self.modules[at[0]], at[1]) if isinstance(at, list) else self.things[at]

    def known(self, message):
        """The thing that a message stands for."""
        return standing.KINDS[message["of"]]() if message["$"] == "standing" else self.things[message["of"]]

    def answer(self, asked):
        """What one request gives: a dict; `raised` says what the code raised."""
        try:
            value = getattr(self, f"do_{asked['do']}")(**{key: v for key, v in asked.items() if key != "do"})
        except BaseException as error:  # the code may raise anything, SystemExit and KeyboardInterrupt too
            return {"raised": described(error)}
        return {"value": value}

    def do_path(self, folders):
        """Let the code in the folders import what is beside it; the first is where it stands."""
        for folder in folders:
            beside.add(Path(folder))
        os.chdir(folders[0])

    def do_module(self, name):
        """Import by name; which of the loaded modules it is."""
        self.modules.append(importlib.import_module(name))
        return len(self.modules) - 1

    def do_file(self, outermost, parts, source=None):
        """Import a file by what it is called in its outermost package, or a text in its place; which module it is.

        Args:
            outermost: the file itself, or the __init__.py of the outermost package that it is in.
            parts: the names from there to it.
        """
        sys.argv[:] = [str(Path(outermost).parent.joinpath(*parts[1:])) + ".py" if parts[1:] else outermost]
        name = beside.name_for(parts[0], Path(outermost))
        module = beside.load(name, Path(outermost), source)
        self.modules.append(importlib.import_module(".".join([name, *parts[1:]])) if parts[1:] else module)
        return len(self.modules) - 1

    def do_given(self, data):
        """What was pickled by name, as a module; which module it is."""
        module = types.ModuleType("given")
        vars(module).update(pickle.loads(data.tobytes()))
        self.modules.append(module)
        return len(self.modules) - 1

    def do_inventory(self, module):
        """[what `about` says] of all that a module holds."""
        return [self.about(name, thing) for name, thing in vars(self.modules[module]).items() if name[:2] != "__"]

    def about(self, name, thing):
        """A thing by its name: class, function or object; where it comes from, and how it is called."""
        cls = thing if inspect.isclass(thing) else type(thing)
        module = getattr(thing, "__module__", None) if inspect.isclass(thing) or callable(thing) else cls.__module__
        file = getattr(sys.modules.get(module or ""), "__file__", None)
        bases = [[base.__module__, base.__name__] for base in cls.__mro__]
        found = {"name": name, "module": module, "file": file, "bases": bases}
        if inspect.isclass(thing):
            constants = {key: value for key, value in vars(thing).items() if holding.is_constant(value)}
            found |= {
                "kind": "class",
                "called": thing.__name__,
                "signature": holding.constructor(thing),
                "constants": constants,
            }
            return found | {"methods": self.methods(thing), "exception": issubclass(thing, BaseException)}
        if inspect.isfunction(thing):
            return found | {"kind": "function", "called": thing.__name__, "signature": holding.signature(thing)}
        return found | {"kind": "module" if inspect.ismodule(thing) else "object", "methods": {}}

    def methods(self, cls):
        """{name: signature without self} of the methods of a class, those of its bases too."""
        found = {}
        for base in reversed([base for base in cls.__mro__ if base is not object]):
            for name, raw in vars(base).items():
                if name[:2] == "__" and name != "__call__":
                    continue
                if isinstance(raw, staticmethod | classmethod):
                    found[name] = holding.signature(getattr(cls, name))
                elif callable(raw) and not inspect.isclass(raw):
                    found[name] = holding.signature(raw, bound=True)
        return found

    def do_make(self, number, thing, arguments, keywords):
        """Make an object of a class, to be known by that number."""
        self.things[number] = self.thing(thing)(*arguments, **keywords)

    def do_call(self, thing, method, arguments, keywords):
        """What a call returns, and by their places or names those of its arrays that it wrote to, as they are now."""
        function = self.thing(thing) if method is None else getattr(self.thing(thing), method)
        given = {key: each for key, each in [*enumerate(arguments), *keywords.items()] if _arrays_in(each)}
        kept = {key: [a.copy() for a in _arrays_in(each)] for key, each in given.items()}
        value = function(*arguments, **keywords)
        changed = {key: each for key, each in given.items() if not _same(kept[key], _arrays_in(each))}
        return {"value": value, "changed": changed}

    def do_arrays(self, thing, kinds, tuples):
        """[path, array, which array it is] of all that an object keeps: one array may be at two paths."""
        return [(path, array, id(array)) for path, array in holding.walk(self.things[thing], kinds, tuples).items()]

    def do_read(self, thing, paths):
        """What is at each of the paths."""
        return [holding.get(self.things[thing], path) for path in paths]

    def do_write(self, thing, pairs):
        """Set what is at paths."""
        for path, value in pairs:
            holding.put(self.things[thing], path, value)

    def do_set_named(self, thing, names, value):
        """Set those attributes, and entries of dicts, whose plain names are among these; how many there are."""
        kept = holding.attributes(self.things[thing])
        own: list[tuple] = [(f".{name}",) for name in kept if holding.plain(name) in names]
        for name, inner in kept.items():
            if isinstance(inner, dict):
                own += [(f".{name}", key) for key in inner if isinstance(key, str) and holding.plain(key) in names]
            elif isinstance(inner, standing.PlainSteps) and "learningrate" in names:
                own.append((f".{name}", ".learning_rate"))
        for path in own:
            holding.put(self.things[thing], path, value)
        return len(own)

    def do_forget(self, things):
        """Let go of what nobody asks for any more."""
        for number in things:
            self.things.pop(number, None)

    def do_told(self):
        """What was noticed: files of this project that were opened, frameworks that are loaded, seeds that were set."""
        frameworks = [name for name in FRAMEWORKS if name in sys.modules or name in self.imported]
        absent = [str(reason) for reason in beside.ABSENT.values()]
        return {
            "ours": sorted(self.touched),
            "frameworks": frameworks,
            "seeded": sorted(self.seeded),
            "absent": absent,
        }

    def watch(self):
        """Note, by a hook that Python lets nobody remove, who opens the files of this project; and who seeds."""
        folders = tuple(f"{Path(self.project) / name}{os.sep}" for name in OURS)

        def hook(event, arguments):
            path = arguments[0] if event == "open" else None
            if isinstance(path, str) and path.startswith(folders) and not path.startswith(str(Path(__file__).parent)):
                # what stands beside this file runs here, and tracebacks open it
                self.touched.add(os.path.relpath(path, self.project).partition(os.sep)[0])
            elif isinstance(path, str) and (found := IMPORTED.search(path)):
                self.imported.add(found[1])

        sys.addaudithook(hook)
        np.random.seed(0)  # the same file gets the same answer twice, whatever its weights begin with
        random.seed(0)
        np.random.seed = self._watched("np.random.seed", np.random.seed)
        random.seed = self._watched("random.seed", random.seed)

    def _watched(self, name, seed):
        def wrapper(*arguments, **keywords):
            frame = sys._getframe(1)
            if not frame.f_code.co_filename.endswith(("mtrand.pyx", "random.py")):
                self.seeded.add(f"{name} at {Path(frame.f_code.co_filename).name}:{frame.f_lineno}")
            return seed(*arguments, **keywords)

        return wrapper


def described(error):
    """An exception as it travels: its type, what it says, the lines that it came through, and what it came of."""
    frames: list = []
    chain = [each for each in (error, error.__cause__, error.__context__) if each is not None]
    for each in chain[:2]:
        if not frames:
            frames = [
                [f.filename, f.lineno] for f in traceback.extract_tb(each.__traceback__) if f.filename != __file__
            ]
    if isinstance(error, SyntaxError):
        frames = [[error.filename or "", error.lineno or 0]]
    texts = [str(each.msg if isinstance(each, SyntaxError) else each)[:MESSAGE] + guard.met(each) for each in chain]
    bases = [base.__name__ for base in type(error).__mro__]
    name = getattr(error, "name", None)
    return {"type": bases[0], "bases": bases, "texts": texts, "frames": frames, "name": name if name else None}


def end_with_parent(pipe):
    """Wait until the pipe of whoever asks closes, then end, and all that was started here: a call may never return."""
    os.read(pipe, 1)
    os.killpg(0, signal.SIGKILL)


def main():
    """Answer until nobody asks any more."""
    # where code that closes all that it did not open does not find them
    asked, answers, life = (fcntl.fcntl(int(number), fcntl.F_DUPFD_CLOEXEC, 200) for number in (*sys.argv[1:3], "0"))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # code that asks for input meets the end of a file
    project, sys.argv = sys.argv[3], sys.argv[4:]
    confining.confine()
    threading.Thread(target=end_with_parent, args=(life,), daemon=True).start()
    warnings.simplefilter("ignore")  # overflow and the like show in the numbers; what is printed is a remark
    caller = Caller(project)
    caller.watch()
    beside.serve()
    with os.fdopen(asked, "rb") as pipe_in, os.fdopen(answers, "wb") as pipe_out:
        while (message := messages.receive(pipe_in, caller.known)) is not None:
            answer = caller.answer(message) | {"worked": time.process_time()}
            with contextlib.suppress(ValueError, OSError, AttributeError):  # the code may have closed its own output
                sys.stdout.flush()
            try:
                messages.send(pipe_out, answer, caller.keep)
            except messages.TooLargeError as error:
                messages.send(pipe_out, {"raised": described(error)}, caller.keep)
    os._exit(0)  # threads that the code left behind would keep the process


if __name__ == "__main__":
    main()
