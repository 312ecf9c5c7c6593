"""Copies of `numpy_cnn` with one mistake each: (file, what stands there, what is put there), and the stage it is in."""

import importlib
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

MUTANTS = {
    "kernel flipped": (
        "conv.py",
        "np.tensordot(windows(self._x), self.weight, axes=3)",
        "np.tensordot(windows(self._x), self.weight[::-1, ::-1], axes=3)",
        "conv forward",
    ),
    "flatten order changed": (
        "softmax.py",
        "self._x = x.reshape(len(x), -1)",
        "self._x = (x.transpose(0, 3, 1, 2) if x.ndim == 4 else x).reshape(len(x), -1)",
        "dense forward",
    ),
    "gradient summed instead of averaged": (
        "softmax.py",
        "return d_logits / d_logits.dtype.type(len(labels))",
        "return d_logits",
        "loss backward",
    ),
    "tie counted for all": (
        "maxpool.py",
        "np.put_along_axis(corners, self._winner, dy[..., None], axis=-1)",
        "corners += np.where(self._tied, dy[..., None], 0)",
        "pool backward",
    ),
    "bias gradient dropped": (
        "softmax.py",
        "self.d_bias = d_logits.sum(axis=0)",
        "self.d_bias = np.zeros_like(self.bias)",
        "dense backward",
    ),
}


def write_mutant(folder, name, package="numpy_cnn"):
    """Copy `numpy_cnn` into folder/package with the mistake in it."""
    shutil.copytree(ROOT / "numpy_cnn", folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    for file in (folder / package).glob("*.py"):
        file.write_text(file.read_text().replace("numpy_cnn", package))
    if name is None:
        return
    file_name, before, after, _ = MUTANTS[name]
    path = folder / package / file_name
    text = path.read_text()
    assert text.count(before) == 1, f"{file_name} no longer holds {before!r}"
    if name == "tie counted for all":
        winner = "self._winner = corners.argmax(axis=-1)[..., None]"
        assert text.count(winner) == 1
        text = text.replace(winner, f"{winner}\n        self._tied = corners == corners.max(axis=-1, keepdims=True)")
    path.write_text(text.replace(before, after))


def load_mutant(folder, name, monkeypatch):
    """The `Layers` of a mutant under a package name of its own, beside the real `numpy_cnn`."""
    package = f"mutant_{abs(hash((str(folder), name)))}"
    write_mutant(folder, name, package)
    monkeypatch.syspath_prepend(folder)
    module = importlib.import_module(f"{package}.layers")
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry != str(folder)])
    return module.Layers
