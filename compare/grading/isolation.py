"""How a submission is confined, and what of that holds on this machine: asked of a process that tries it."""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from compare.cells import confine
from compare.cells.cells import ROOT

OURS = ("numpy_cnn", "torch_cnn", "keras_cnn", "compare")
# all of ours that the process of the code needs
CALLER = ("beside.py", "holding.py", "messages.py", "standing.py", "caller.py")
HIDDEN = ("torch", "tensorflow", "keras", "jax", "jaxlib", "onnx", "onnxruntime")
NEEDED_BY = {"tensorflow": ("keras", "jax"), "keras": ("torch", "tensorflow", "jax", "jaxlib"), "jax": ("jaxlib",)}
NOBODY = "nobody"
WORDS = {
    "files": "files outside its folder can be read, and written",
    "signals": "it can signal other processes of this user",
    "network": "it has the network",
    "user": "it runs as the user who grades (where that is root, without root's rights)",
    "memory": "its memory is not limited",
}


def plan(user=None, memory=2 << 30, frameworks=(), hide=()):
    """What `confine` is to be given.

    Args:
        user: the name of a user to become, which takes root; None is NOBODY where this is root, "" is nobody else.
        memory: bytes of each of its processes.
        frameworks: names of packages that are not hidden. hide: folders that are, wherever they lie.
    Raises:
        ValueError: there is no such user, or this is not root.
    """
    shown = set(frameworks) | {name for each in frameworks for name in NEEDED_BY.get(each, ())}
    places = dict.fromkeys(os.path.realpath(place) for place in sys.path if place and Path(place).is_dir())
    packages = [place for place in places if Path(place).name in ("site-packages", "dist-packages")]
    packages.append(str(Path(np.__file__).resolve().parent.parent))
    python = {sys.prefix, sys.base_prefix, sys.exec_prefix, str(Path(os.__file__).parent)}
    python |= {place for place in os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep) if place}
    installed = [str(Path(spec.origin).parent) for name in OURS if (spec := _spec(name)) and spec.origin]
    return {
        "read": [
            *confine.SYSTEM,
            *sorted(python),
            *packages,
            *(str(ROOT / "compare" / "checking" / "process" / name) for name in CALLER),
        ],
        "hide": [
            *map(str, hide),
            *(str(ROOT / name) for name in OURS),
            *installed,
            *(str(Path(place) / name) for place in packages for name in HIDDEN if name not in shown),
        ],
        "user": _user(user),
        "memory": memory,
    }


def _spec(name):
    return importlib.util.find_spec(name)


def _user(name):
    """[uid, gid] of a user by name, or None."""
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    if name == "" or (name is None and not root):
        return None
    if not root:
        raise ValueError(f"user: found {name!r}, wanted none: only root may become another user")
    import pwd

    try:
        found = pwd.getpwnam(name or NOBODY)
    except KeyError:
        if name is None:
            return None
        raise ValueError(f"user: found {name!r}, wanted the name of a user of this machine") from None
    return [found.pw_uid, found.pw_gid]


def tried(planned, asked=None):
    """(the plan that works here, what does not hold of it in words): tried on a process that confines itself.

    Args:
        asked: the name of the user, where one was asked for. One that was chosen for lack of a name, and cannot run
            this Python, is left out.
    Raises:
        ValueError: the user that was asked for cannot.
    """
    if planned["user"]:
        _let_through()
    held = _holding(planned)
    if held is None and planned["user"]:
        if asked:
            raise ValueError(f"user: found {asked!r}, wanted one who can run {sys.executable} and read what it loads")
        planned = {**planned, "user": None}
        held = _holding(planned)
    held = held or {}
    words = {name: words for name, words in WORDS.items() if not held.get(name)}
    if "network" in words and held.get("tcp"):
        words["network"] += ", but no TCP"
    return planned, list(words.values())


def _let_through():
    """Let others pass through this command's temporary folder, to what they know the name of; they cannot list it."""
    place = Path(tempfile.gettempdir())
    if place.stat().st_uid == os.geteuid() and not place.stat().st_mode & 0o001:
        place.chmod(place.stat().st_mode | 0o011)


def _holding(planned):
    """{what: whether it holds}; None where a process that is confined so cannot run a file that loads NumPy."""
    with tempfile.TemporaryDirectory(prefix="cnn-grade-") as folder:
        file = Path(folder) / "tried.py"
        file.write_text("import numpy\n")
        Path(folder).chmod(0o755)
        process = subprocess.run(
            [sys.executable, "-P", confine.__file__, str(file)],
            env={**os.environ, confine.CONFINE: json.dumps({**planned, "read": [*planned["read"], folder]})},
            capture_output=True,
            timeout=60,
            text=True,
        )
    return json.loads(process.stdout) if process.returncode == 0 else None
