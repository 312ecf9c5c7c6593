"""What is in the process of the code, spoken to from here: its objects, classes and functions, and how they fail."""

import inspect
from dataclasses import dataclass, field
from typing import Any, ClassVar

from compare.contract import NotOfferedError


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


class AbsentError(RaisedError, NotOfferedError):
    """The code raised for want of something that is not there: a package, or a statement that was not run."""


class CrashedError(StrangersError):
    """The process ended."""

    outcome = "crashed"


class HungError(StrangersError):
    """No answer within the time of a call, or of all calls together."""

    outcome = "hung"


class SpentError(HungError):
    """No time was left for a call: others have taken it, which may have been only tried."""

    outcome = "spent"


class StaleError(Exception):
    """The object was made in a process that is no more."""


@dataclass(frozen=True)
class Standing:
    """What a layer wants to be handed, of a kind that `standing` has there: one of WORDS."""

    kind: str
    WORDS: ClassVar = {
        "optimiser": "an optimiser that takes plain steps",
        "activation": "an activation that changes nothing",
    }


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

    def arrays(self, kinds="f", tuples=False):
        """{path: (array, which array it is)} of these kinds of dtypes, as of `holding.walk`."""
        return {tuple(path): (array, which) for path, array, which in self._ask("arrays", kinds=kinds, tuples=tuples)}

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

    stranger: Any
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

    stranger: Any
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
        """(what it returns, by their places or names the arrays that it wrote into, as they are then)."""
        found = self.stranger.ask("call", thing=self.at, method=None, arguments=list(arguments), keywords=keywords)
        return found["value"], found["changed"]


@dataclass
class Method(Function):
    """A method of a class as a function: of one object, made without arguments, of which nothing else is asked."""

    owner: Any = None
    made: Any = None

    def call(self, *arguments, **keywords):
        """As of `Thing.call`."""
        self.made = self.owner() if self.made is None or self.made.stale else self.made
        return self.made.call(self.name, *arguments, **keywords)


@dataclass
class Other:
    """Anything else under a name: an object that stands in a module."""

    stranger: Any
    name: str
    module: str
    bases: list
    at: list


def signature(described):
    """An `inspect.Signature` of what `holding.signature` describes; of *args alone where nothing is told."""
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
