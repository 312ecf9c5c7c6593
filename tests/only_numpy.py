"""Fail unless NumPy, this project and the test runner are all that this environment can import."""

import importlib.util
import sys

FOREIGN = (
    "torch",
    "tensorflow",
    "keras",
    "jax",
    "pandas",
    "matplotlib",
    "safetensors",
    "tqdm",
    "scipy",
    "mnist",
    "click",
)

found = [name for name in FOREIGN if importlib.util.find_spec(name) is not None]
if found:
    sys.exit(f"found {', '.join(found)} in this environment, wanted NumPy alone")

import numpy_cnn  # noqa: E402

print(numpy_cnn.CNN().summary())
outside = (
    {name.partition(".")[0] for name in sys.modules} - set(sys.stdlib_module_names) - {"numpy", "numpy_cnn", "__main__"}
)
outside = {name for name in outside if getattr(sys.modules[name], "__file__", None) and "editable" not in name}
if outside - {"_distutils_hack", "sitecustomize", "_virtualenv"}:
    sys.exit(f"numpy_cnn imported {', '.join(sorted(outside))}, wanted NumPy and the standard library alone")
