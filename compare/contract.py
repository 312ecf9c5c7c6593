"""What `compare` asks of an implementation, and which implementations there are.

The contract is structural: no implementation imports it. NumPy arrays at the border, images already scaled,
(N, H, W, C), parameters in one layout; native tensors inside. The three ways of `numpy_cnn` fulfil it as they
stand, the frameworks through a thin adapter each.
"""

import difflib
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

from compare.graph import ACTIVATIONS, BACKWARD, GRADIENTS, PARAMETERS

__all__ = [
    "ACTIVATIONS",
    "BACKWARD",
    "GRADIENTS",
    "PARAMETERS",
]  # part of the contract: the names of what goes in and out

Array = NDArray[Any]
Arrays = dict[str, Array]


class Implementation(Protocol):
    """One network. Every array that comes out is of the network's dtype and safe to keep.

    One that offers less leaves methods out, and says why in `less`. It may have `dtypes`, the names of those that it
    computes in (else float32 and float64), and `lacks`, why not in others, by name. Arrays of bfloat16 are of float32.
    """

    def __init__(
        self,
        input_shape: tuple[int, int, int] = (28, 28, 1),
        filters: int = 8,
        classes: int = 10,
        padding: str = "valid",
        dtype: Any = "float32",
        seed: int = 0,
    ) -> None:
        """A network with its framework's own start values, drawn from `seed`."""
        ...

    def get_parameters(self) -> Arrays:
        """Copies: conv_weight (3, 3, C, F), dense_weight (P*Q*F, K) with rows in (P, Q, F) order, dense_bias (K,)."""
        ...

    def set_parameters(self, parameters: Arrays) -> None:
        """Take over the same, exact to the bit."""
        ...

    def activations(self, images: Array, labels: Array) -> Arrays:
        """ACTIVATIONS of one batch: conv (N, H', W', F), pool (N, P, Q, F), logits, probabilities (N, K), loss ()."""
        ...

    def gradients(self, images: Array, labels: Array) -> Arrays:
        """GRADIENTS of the mean loss, each of the shape of what it is the gradient of; updates nothing."""
        ...

    def forward_stage(self, stage: str, x: Array, labels: Array | None = None) -> Array:
        """One of ACTIVATIONS alone, of an input of its own (`labels` for "loss" only)."""
        ...

    def backward_stage(self, stage: str, x: Array, upstream: Array, labels: Array | None = None) -> Arrays:
        """BACKWARD[stage]: gradients by name, given the stage's input and the upstream gradient (scalar for "loss")."""
        ...

    def step(self, images: Array, labels: Array, learning_rate: float) -> float:
        """One update by plain SGD; returns the loss of the batch before it."""
        ...

    def predict(self, images: Array) -> Array:
        """Probabilities (N, K)."""
        ...


@dataclass(frozen=True)
class Entry:
    """Where an implementation is found: `target` is "module:class", `package` its framework on PyPI and in an import.

    `commands` are those that take it when no implementation is named; by name it goes with any. `needs` are modules of
    other packages without which it is as good as not installed; `backend` is what Keras runs on, one in a process.
    `optimisers` is a module that offers `updates`, as `verdict.updates.ask` calls it, and CONVENTIONS as there.
    """

    name: str
    target: str
    package: str
    install: str
    commands: tuple[str, ...] = ("parity", "accuracy", "speed", "report")
    needs: tuple[str, ...] = ()
    backend: str = ""
    optimisers: str = ""


def _pip(extra: str) -> str:
    return f"pip install '.[{extra}]' -c constraints.txt"


def _keras(backend: str, extra: str, *commands: str) -> Entry:
    needs = ("keras", "h5py")
    target, optimisers = "keras_cnn.adapter:Adapter", "keras_cnn.optimisers"
    return Entry(f"keras-{backend}", target, backend, _pip(extra), commands, needs, backend, optimisers)


def _numpy(name: str, target: str, *commands: str) -> Entry:
    return Entry(f"numpy-{name}", target, "numpy", "pip install .", commands, optimisers="numpy_cnn.optimisers")


ENTRIES = {
    entry.name: entry
    for entry in (
        _numpy("loops", "numpy_cnn.one_by_one:Loops", "parity", "speed"),
        _numpy("layers", "numpy_cnn.layers:Layers", *Entry.commands),
        _numpy("fused", "numpy_cnn.fused:Fused", *Entry.commands),
        Entry("torch", "torch_cnn.adapter:Adapter", "torch", _pip("torch"), optimisers="torch_cnn.optimisers"),
        _keras("tensorflow", "keras", *Entry.commands),
        _keras("jax", "keras,jax", "speed"),
        _keras("torch", "keras,torch", "speed"),
        Entry("torch-compiled", "compare.contenders.with_torch_compile:Adapter", "torch", _pip("torch"), ("speed",)),
        Entry("tensorflow", "compare.contenders.with_tensorflow:Adapter", "tensorflow", _pip("keras"), ("speed",)),
        Entry(
            "jax",
            "compare.contenders.with_jax:Adapter",
            "jax",
            _pip("jax"),
            ("speed",),
            optimisers="compare.contenders.with_optax",
        ),
        Entry(
            "onnxruntime",
            "compare.contenders.with_onnxruntime:Adapter",
            "onnxruntime",
            _pip("onnx"),
            ("speed",),
            ("onnx",),
        ),
    )
}


def select(names=None, command=None):
    """Names of implementations, in the order of ENTRIES.

    Args:
        names: a list or a comma-separated string of names, of prefixes that end where a "-" begins, or "all"; None for
            those that `command` takes by itself.
        command: "parity", "accuracy", "speed" or "report"; None for any.
    Raises:
        ValueError: no name, or one that nothing begins with; the message gives the nearest known one.
    """
    if names is None:
        return [name for name, entry in ENTRIES.items() if command is None or command in entry.commands]
    wanted = [name.strip() for name in (names.split(",") if isinstance(names, str) else names)]
    if not wanted:
        raise ValueError("implementations: found none, wanted one or more")
    chosen = set()
    for name in wanted:
        if name == "all":
            found = set(ENTRIES)
        elif name in ENTRIES:
            found = {name}
        else:
            found = {known for known in ENTRIES if name and known.startswith(name + "-")}
        if not found:
            raise ValueError(unknown("implementation", name, ENTRIES))
        chosen |= found
    return [name for name in ENTRIES if name in chosen]


def unknown(kind, name, known):
    """The message for a name that is not known, with the nearest one that is."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.3)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"unknown {kind}: found {name!r}, wanted one of {', '.join(known)}{hint}"


class UndecidedError(Exception):
    """There is no answer, neither agreement nor difference; the message says why."""


class UnavailableError(UndecidedError):
    """An implementation that was asked for by name cannot be used; the message says why and what installs it."""


class NothingCheckedError(UndecidedError):
    """Nothing was judged, which is no agreement; the message says of whom, and why."""


class BrokeDownError(RuntimeError):
    """An implementation raised, crashed or hung where a whole table rests on it."""


def note_missing(results, by_name):
    """Reasons, by name, of cells that found no framework; `UnavailableError` where they were asked for by name.

    A framework that is installed and cannot be imported is not missing: unless it was asked for by name, it stays a
    result, and so a failure.
    """
    reasons = {r.spec["implementation"]: r.error for r in results if r.status == "missing"}
    unusable = {r.spec["implementation"]: r.error for r in results if r.meta.get("unusable")}
    if by_name and (reasons or unusable):
        lines = [f"{name}: {why}; install: {ENTRIES[name].install}" for name, why in (reasons | unusable).items()]
        raise UnavailableError("\n".join(lines))
    return reasons


def demand(results):
    """Raise where a cell gave no answer: `BrokeDownError`, `NothingCheckedError` of one that offers nothing, or
    `UndecidedError` of one that was lost with its machines.
    """
    for result in results:
        name = result.spec["implementation"]
        if result.status == "not offered":
            raise NothingCheckedError(f"{name}: nothing was checked: {result.error}")
        if result.status == "lost":
            raise UndecidedError(f"{name}: {result.error}")
        if result.status not in ("ok", "missing"):
            raise BrokeDownError(f"{name}: {result.status}: {result.error}")


class NotOfferedError(Exception):
    """The code under test does not offer what was asked of it; the message says what, and the answer counts it so."""
