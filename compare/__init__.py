"""Is this network the same network? Parity, accuracy and speed of one CNN in several frameworks.

    import compare
    compare.parity("numpy,torch", "sample")     # DataFrame: every quantity against its rounding allowance
    compare.accuracy(epochs=1)                  # DataFrame: test accuracy and loss by epoch
    compare.speed(batch_sizes=[32])             # DataFrame: seconds an image
    compare.report("report")                    # all of it, as pages
    compare.check("my_cnn.py")                  # anyone's code: what differs, and why; needs NumPy alone

No framework is imported here or by any of these: each implementation runs in a process of its own. The rooms are called
`verdict`, `training`, `timing` and `pages`, since `compare.parity` cannot be both a function and a module.
"""

# No import here: `python -m compare` runs this while the current folder, with anybody's files, is first on the path.
__all__ = [
    "accuracy",
    "check",
    "convert",
    "defects",
    "grade",
    "implementations",
    "parametrize_with_checks",
    "parity",
    "report",
    "speed",
]

_HOMES = {
    "parity": "compare.verdict.run",
    "accuracy": "compare.training.accuracy",
    "speed": "compare.clock.speed",
    "report": "compare.pages.report",
    "implementations": "compare.listing",
    "convert": "compare.conversion",
    "check": "compare.checking.run",
    "defects": "compare.training.evidence",
    "grade": "compare.grading.run",
    "parametrize_with_checks": "compare.pytest_plugin",
}


def __getattr__(name):
    """Load a function where it is first used: `import compare` stays quick, and pandas is needed by tables only."""
    if name not in _HOMES:
        raise AttributeError(f"module 'compare' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)
