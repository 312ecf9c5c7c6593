"""What the command line says of an exception: what a room says of bad input, or else an error of the tool's own."""

import traceback
from pathlib import Path

from compare import contract, plain

TRACEBACK = "CNN_COMPARE_TRACEBACK"  # an environment variable: where it is set, errors come with their traceback
OURS = ("compare", "numpy_cnn", "torch_cnn", "keras_cnn")
ROOT = Path(__file__).resolve().parents[2]


def explain(error):
    """(exit code, line) of an exception; the exit codes are those of `cli.EXIT_CODES`."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if any(Path(frame.filename).is_relative_to(ROOT / name) for name in OURS)][-1]
    # bad input is what a `raise` of this project says: the thing, the value found and the value wanted. The same class
    # from anywhere else, such as a max() over nothing, is a mistake in here
    told = own is frames[-1] and (own.line or "").startswith("raise ")
    if isinstance(error, contract.UndecidedError):
        return 3, _lines(error)
    if isinstance(error, contract.BrokeDownError):
        return 4, _lines(error)
    if isinstance(error, ModuleNotFoundError) and not told and (error.name or "").partition(".")[0] not in OURS:
        return 3, f"Error: {error.name} is not installed; install: pip install '.[compare]'"
    if isinstance(error, OSError) or (told and isinstance(error, ValueError | ImportError)):
        return 2, _lines(error)
    if isinstance(error, MemoryError):
        return 2, f"Error: not enough memory: {plain.line(error)}"
    text = plain.line(error) or "no message"
    return 70, (
        f"Error of the tool's own, which is no verdict: {type(error).__name__} at {Path(own.filename).name}:"
        f"{own.lineno}: {text}; please report this line and the command; {TRACEBACK}=1 shows the traceback"
    )


def _lines(error):
    """The message: on one line, but for the lists of reasons that a failed download or several frameworks give."""
    listed = isinstance(error, contract.UndecidedError | contract.BrokeDownError | ConnectionError)
    return f"Error: {plain.lines(error) if listed else plain.line(error)}"
