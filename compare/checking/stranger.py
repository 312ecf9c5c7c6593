"""Somebody's code in a process of its own, spoken to from here: every call of it goes through `Stranger.ask`.

What comes back is a value, or one of three errors that say whose fault it is: `RaisedError`, `CrashedError`,
`HungError`. After a crash or a hang the next call starts a fresh process; what was made in the old one is `stale`.
"""

import contextlib
import inspect
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from compare.cells import THREAD_VARIABLES
from compare.checking import caller

PROJECT = Path(__file__).resolve().parent.parent.parent
SHARE = 4  # of the time that all of the code has, one call has this part
TAIL = 4000  # bytes of what the code prints


class StrangersError(Exception):
    """What the code did instead of giving a value.

    outcome: "raised", "crashed" or "hung". type, bases, texts, frames, name: of an exception of the code.
    """

    outcome = "raised"

    def __init__(self, message, raised=None):
        super().__init__(message)
        self.raised = raised or {"type": "", "bases": [], "texts": [message], "frames": [], "name": None}


class RaisedError(StrangersError):
    """The code raised."""


class CrashedError(StrangersError):
    """The process ended."""

    outcome = "crashed"


class HungError(StrangersError):
    """No answer within the time of a call, or of all calls together."""

    outcome = "hung"


class StaleError(Exception):
    """The object was made in a process that is no more."""


class Stranger:
    """The process, and the modules that were loaded in it.

    Args:
        folders: for the front of the search path of the code; the first is where it stands.
        argv: what `sys.argv` is to be.
        threads: of NumPy in there.
        limit: seconds for all calls together; one call has a SHARE of it.
    """

    def __init__(self, folders, argv, threads=1, limit=60.0):
        self.folders, self.argv, self.threads = [str(folder) for folder in folders], argv, threads
        self.limit, self.spent = limit, 0.0
        self.generation = 0
        self.process: Any = None
        self.loaded: list = []  # requests that loaded modules: asked again in a fresh process
        self.dropped: list = []
        self.unread: list = []  # which thing each request is about that was told and not yet answered
        self.broken: dict = {}  # what was raised of these, by thing
        self.numbered = 0
        self.log = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process, in __exit__
        self.told: dict = {"ours": set(), "frameworks": set(), "seeded": set()}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """End the process and forget what it printed."""
        self.end()
        self.log.close()

    def start(self):
        """A fresh process with the same modules."""
        ask_read, ask_write = os.pipe()
        answer_read, answer_write = os.pipe()
        life_read, self.life = os.pipe()  # closes with this process, whatever becomes of it
        arguments = [str(ask_read), str(answer_write), str(life_read), str(PROJECT), *self.argv]
        environment = {**os.environ, **dict.fromkeys(THREAD_VARIABLES, str(self.threads)), "PYTHONHASHSEED": "0"}
        environment["MPLBACKEND"] = "agg"
        self.process = subprocess.Popen(
            [sys.executable, "-P", caller.__file__, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=subprocess.STDOUT,
            env=environment,
            pass_fds=(ask_read, answer_write, life_read),
            start_new_session=True,
        )
        for end in (ask_read, answer_write, life_read):
            os.close(end)
        self.asking, self.answers = os.fdopen(ask_write, "wb"), os.fdopen(answer_read, "rb", buffering=0)
        self.generation += 1
        self.dropped, self.unread, self.broken = [], [], {}
        self._exchange({"do": "path", "folders": self.folders}, self.limit)
        for request in self.loaded:
            self._exchange(request, self.limit)

    def end(self):
        """End the process and all that it started."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):  # all of it has ended already
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self.life)
        for pipe in (self.asking, self.answers):
            with contextlib.suppress(OSError):  # what could not be written any more
                pipe.close()
        self.process = None

    def ask(self, do, **request):
        """The value of one request.

        Raises:
            StrangersError: one of its three kinds.
        """
        if self.process is None:
            self.start()
        if self.dropped:
            things, self.dropped = self.dropped, []
            self.tell("forget", things=things)
        left = self.limit - self.spent
        if left <= 0:
            raise HungError(f"no time is left of {self.limit:g} s")
        begin = time.monotonic()
        try:
            return self._exchange({"do": do, **request}, min(left, max(1.0, self.limit / SHARE)))
        finally:
            self.spent += time.monotonic() - begin

    def tell(self, do, **request):
        """As `ask`, of what gives no value: what it raises is raised by what is next asked of the same thing."""
        if self.process is None:
            self.start()
        with contextlib.suppress(OSError):  # nobody reads any more: the next answer that is waited for says so
            caller.send(self.asking, {"do": do, **request}, _keep)
        self.unread.append(request.get("number", request.get("thing")))

    def load(self, do, **request):
        """As `ask`, of what loads a module: it is loaded again whenever the process is a fresh one."""
        value = self.ask(do, **request)
        self.loaded.append({"do": do, **request})
        return value

    def _exchange(self, request, seconds):
        """Send and receive within a time; ends the process where that fails."""
        try:
            caller.send(self.asking, request, _keep)
            reader = _Timed(self.answers, time.monotonic() + seconds)
            for thing in self.unread:
                told = caller.receive(reader, self._known)
                if told is None or "raised" in told:
                    self.broken.setdefault(thing, told)  # of several the first is told
            self.unread = []
            answer = caller.receive(reader, self._known)
            if None in self.broken.values():
                answer = None
            elif isinstance(request.get("thing"), int):
                answer = self.broken.get(request["thing"], answer)
        except TimeoutError:
            self.end()
            raise HungError(f"no answer within {seconds:.3g} s") from None
        except OSError:  # nobody reads any more
            answer = None
        if answer is None:
            code = self.process.wait()
            self.end()
            how = _how_ended(code)
            raise CrashedError(f"the process ended with {how} and left no result")
        if "raised" in answer:
            raised = answer["raised"]
            raise RaisedError(f"{raised['type']}: {raised['texts'][0]}", raised)
        return answer["value"]

    def _known(self, message):
        return Thing(self, message["of"], message["type"])

    def number(self):
        """A number for a thing that is to be made: below 0, since those that the process gives are above."""
        self.numbered -= 1
        return self.numbered

    def noticed(self):
        """Add what the process has noticed of this project, of frameworks and of seeds to `told`."""
        with contextlib.suppress(StrangersError):  # one that is gone tells nothing
            for name, found in self.ask("told").items():
                self.told[name] |= set(found)

    def printed(self):
        """The end of what the code printed."""
        self.log.seek(0, os.SEEK_END)
        self.log.seek(max(0, self.log.tell() - TAIL))
        return self.log.read().decode(errors="replace")


class _Timed:
    """A pipe that is read until a point in time."""

    def __init__(self, pipe, end):
        self.pipe, self.end = pipe, end

    def read(self, size):
        with selectors.DefaultSelector() as selector:
            selector.register(self.pipe, selectors.EVENT_READ)
            if not selector.select(max(0.0, self.end - time.monotonic())):
                raise TimeoutError
        return self.pipe.read(min(size, 1 << 20))


def _how_ended(code):
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:  # a real-time signal has no name
        return f"signal {-code}"


def _keep(thing):
    """What is handed to the code and is no value: something of its own, or a type."""
    if isinstance(thing, Thing):
        if thing.generation != thing.stranger.generation:
            raise StaleError("made in a process that is no more")
        return {"$": "ref", "of": thing.number}
    if isinstance(thing, type) and issubclass(thing, np.generic):
        return {"$": "dtype", "of": np.dtype(thing).name}
    raise TypeError(f"found {type(thing).__name__}, wanted a value that can be sent")


class Thing:
    """Something in the other process, of which only the number is known here."""

    def __init__(self, stranger, number, kind="", methods=None, name=""):
        self.stranger, self.number, self.kind = stranger, number, kind
        self.generation = stranger.generation
        self.methods: dict = methods or {}
        self.name = name or kind.rpartition(".")[2]

    def __del__(self):
        if self.generation == self.stranger.generation:
            self.stranger.dropped.append(self.number)

    @property
    def stale(self):
        """Whether the process that it was made in is gone."""
        return self.generation != self.stranger.generation or self.stranger.process is None

    def _ask(self, do, **request):
        if self.stale:
            raise StaleError(f"{self.name} was made in a process that is no more")
        return self.stranger.ask(do, thing=self.number, **request)

    def call(self, method, *arguments, **keywords):
        """(what it returns, by their places or names the arrays that it wrote into, as they are then)."""
        found = self._ask("call", method=method, arguments=list(arguments), keywords=keywords)
        return found["value"], found["changed"]

    def arrays(self, kinds="f"):
        """{path: (array, which array it is)} of these kinds of dtypes."""
        return {tuple(path): (array, which) for path, array, which in self._ask("arrays", kinds=kinds)}

    def read(self, *paths):
        """What is at each of the paths."""
        return self._ask("read", paths=list(paths))

    def write(self, pairs):
        """Set values at paths: (path, value)."""
        if self.stale:
            raise StaleError(f"{self.name} was made in a process that is no more")
        self.stranger.tell("write", thing=self.number, pairs=[list(pair) for pair in pairs])

    def set_named(self, names, value):
        """Set those attributes whose plain names are among these; how many there are."""
        return self._ask("set_named", names=sorted(names), value=value)


@dataclass
class Class:
    """A class of the code: its name, where it is from and stands, its bases as (module, name), how it is called.

    at: [which of the loaded modules, name]. methods: signatures by name. constants: attributes that are plain values.
    """

    stranger: Stranger
    name: str
    module: str
    file: str | None
    bases: list
    at: list
    called: str
    __signature__: inspect.Signature
    methods: dict = field(default_factory=dict)
    constants: dict = field(default_factory=dict)
    exception: bool = False

    @property
    def __name__(self):
        return self.called

    def __call__(self, *arguments, **keywords):
        """An object of the class, as a `Thing`."""
        if self.stranger.process is None:
            self.stranger.start()
        number = self.stranger.number()
        self.stranger.tell("make", number=number, thing=self.at, arguments=list(arguments), keywords=keywords)
        return Thing(self.stranger, number, methods=self.methods, name=self.called)


@dataclass
class Function:
    """A function of the code."""

    stranger: Stranger
    name: str
    module: str
    file: str | None
    at: list
    called: str
    __signature__: inspect.Signature

    @property
    def __name__(self):
        return self.called

    def __call__(self, *arguments, **keywords):
        """What the function returns."""
        return self.call(*arguments, **keywords)[0]

    def call(self, *arguments, **keywords):
        """(what it returns, the places or names of those arguments that it wrote into)."""
        found = self.stranger.ask("call", thing=self.at, method=None, arguments=list(arguments), keywords=keywords)
        return found["value"], set(found["changed"])


@dataclass
class Other:
    """Anything else under a name: an object that stands in a module."""

    stranger: Stranger
    name: str
    module: str
    bases: list
    at: list


def signature(described):
    """An `inspect.Signature` of what `caller.signature` describes; of *args alone where nothing is told."""
    if described is None:
        return inspect.Signature([inspect.Parameter("args", inspect.Parameter.VAR_POSITIONAL)])
    found: list[Any] = []
    for name, kind, default in described:
        value: Any = inspect.Parameter.empty if default == ["?"] else default[1] if len(default) > 1 else _Unknown
        found.append(inspect.Parameter(name, inspect._ParameterKind(kind), default=value))
    return inspect.Signature(found)


class _Unknown:
    """A default that is no plain value."""


def inventory(stranger, module):
    """What a loaded module holds: `Class`, `Function` and `Other` by name."""
    found: dict = {}
    for about in stranger.ask("inventory", module=module):
        name, number = about["name"], [module, about["name"]]
        if about["kind"] == "class":
            methods = {key: signature(each) for key, each in about["methods"].items()}
            bases = [tuple(base) for base in about["bases"]]
            called = signature(about["signature"])
            found[name] = Class(
                stranger,
                name,
                about["module"],
                about["file"],
                bases,
                number,
                about["called"],
                called,
                methods,
                about["constants"],
                about["exception"],
            )
        elif about["kind"] == "function":
            called = signature(about["signature"])
            found[name] = Function(stranger, name, about["module"], about["file"], number, about["called"], called)
        elif about["kind"] == "object":
            found[name] = Other(stranger, name, about["module"], [tuple(base) for base in about["bases"]], number)
    return found
