"""How large a report is, and the commands that make exactly the same one again."""

import os
import re
import shlex

from markupsafe import escape

from compare import plain
from compare.contract import ENTRIES

SIZES: dict[str, dict[str, dict]] = {
    "quick": {
        "accuracy": {"epochs": 1, "seeds": 2, "starts": ("same",)},
        "speed": {"rounds": 1, "samples": 50},
        "defects": {"seeds": 2},
    },
    "normal": {
        "accuracy": {"epochs": 3, "seeds": 5},
        "speed": {"rounds": 3, "samples": 100},
        "defects": {"seeds": 4},
    },
    "full": {
        "accuracy": {"epochs": 3, "seeds": 5},
        "speed": {"rounds": 5, "samples": 100},
        "defects": {"seeds": 4},
    },
}
DEFECTIVE = "numpy-layers"  # in which the known mistakes are made
# some that train about as well as the right network; `compare.defects` has all of them
DEFECTS = (
    "every tied maximum gets the gradient",
    "kernel flipped in the forward pass",
    "filter gradient transposed",
    "one filter gradient for all filters",
    "filter gradient of the last image only",
    "gradient of a loss in bits",
    "(p - y) / 2",
)


def commands(judged, accuracy, speed, settings):
    """What makes this report again, and its three parts alone, each with the implementations that it ran."""
    size, training = SIZES[settings["size"]], accuracy.attrs["settings"]
    flag = "" if settings["size"] == "normal" else f"--{settings['size']}"
    trained = f"--epochs {training['epochs']} --batch-size {training['batch_size']}"
    trained += f" --learning-rate {training['learning_rate']} --seeds {training['seeds']}"
    trained += "".join(f" --start {start}" for start in size["accuracy"].get("starts", ()))
    timed = f"--rounds {size['speed']['rounds']} --samples {size['speed']['samples']}"
    lines = []
    for command, frame, options in (
        ("report", judged, flag),
        ("parity", judged, "--rows"),
        ("accuracy", accuracy, trained),
        ("speed", speed, timed),
    ):
        names = ",".join(name for name in dict.fromkeys(frame["implementation"]) if name in ENTRIES)
        data = f"--seed {settings['seed']} --data {quoted(settings['data_source'])}"
        words = (
            f"python -m compare {command} {data} --threads {settings['threads']} --implementations {names} {options}"
        )
        lines += [words.strip()] if len(frame) else []
    return lines


def quoted(text):
    """A word for a shell, on one line: of a name with signs that are not printed, as bash and zsh write its bytes."""
    if text.isprintable():
        return shlex.quote(text)
    plain_byte = {byte: chr(byte) for byte in range(32, 127) if chr(byte) not in "'\\"}
    return "$'" + "".join(plain_byte.get(byte, f"\\x{byte:02x}") for byte in os.fsencode(text)) + "'"


def markdown(text):
    """Text from outside in a table cell or a line of Markdown: no markup, one line."""
    escaped = str(escape(plain.line(text))).replace("`", "'")
    return re.sub(r"([|\[\]\\])", r"\\\1", escaped)
