"""What is read of somebody else's process is believed in nothing, its form neither: held against the one wanted."""

NUMBER = (int, float)
NOTED = {str: str}  # texts by key
FAILED = frozenset(("raised", "crashed", "hung"))
OUTCOMES = FAILED | {"agrees", "differs", "not offered", "not reached"}
OBSERVED = {"raised": NOTED, "refused": NOTED, "outcomes": {str: FAILED}, "offers": [str]}
ABOUT = {
    **dict.fromkeys(("assumptions", "remarks", "conventions", "changed_inputs", "seeded", "varies?"), [str]),
    "beside": {str: [OUTCOMES, str]},
    "applied_rate": (*NUMBER, None),
    "of_probabilities": bool,
    "one_image": bool,
    "dtypes": [frozenset(("float32", "float64"))],
}
POINT = {"step": int, **dict.fromkeys(("epoch", "watched_accuracy", "watched_loss", "seconds", "train_loss"), NUMBER)}
POINT |= dict.fromkeys(("test_accuracy?", "test_loss?"), NUMBER)
SWEPT = {"status": frozenset(("trained", "diverged", "raised")), "note": str, "steps": int, "seconds?": NUMBER}
SWEPT |= dict.fromkeys(("test_accuracy?", "test_loss?"), NUMBER)
LOST: tuple = ({"epoch": int, "step": int, "note": str}, {})
META = {
    "parity": OBSERVED,
    "check": OBSERVED | ABOUT,
    "accuracy": {"trainings": {str: {"rows": [POINT], "diverged": LOST}}},
    "sweep": {"rows": [SWEPT]},
    "speed": {"threads": {str: int}, "peak_bytes": int},
    "importing": {"seconds": NUMBER},
    "load_weights": {"remarks": [str]},
    "save_weights": {"remarks": [str]},
}  # of a result, by the task of its cell


def fits(value, form):
    """Whether a value that was read has a form.

    Args:
        form: a type, where a bool is no int and `object` is anything; None; a frozenset of texts; a tuple of forms, one
            of which it has to have; [form] of a list, for each of its items, and [form, form, ...] for one of as many;
            {str: form} for all that a dict of texts holds; another dict for the items under its keys, whatever else
            there is, and a key that ends with a question mark may be missing.
    """
    if form is None:
        return value is None
    if isinstance(form, tuple):
        return any(fits(value, each) for each in form)
    if isinstance(form, frozenset):
        return isinstance(value, str) and value in form
    if isinstance(form, dict):
        return isinstance(value, dict) and _holds(value, form)
    if isinstance(form, list):
        if not isinstance(value, list | tuple):
            return False
        forms = form * len(value) if len(form) == 1 else form
        return len(forms) == len(value) and all(map(fits, value, forms))
    return isinstance(value, form) and (form is not int or not isinstance(value, bool))


def _holds(value, form):
    if str in form:
        return all(isinstance(key, str) and fits(each, form[str]) for key, each in value.items())
    found = {key: value.get(key.rstrip("?")) for key in form if key in value or key.rstrip("?") in value}
    needed = {key for key in form if not key.endswith("?")}
    return needed <= found.keys() and all(fits(each, form[key]) for key, each in found.items())


def is_result(task, arrays, meta):
    """Whether arrays and meta are of the form of a result of this task."""
    if not all(value.dtype.kind in "biufc" for value in arrays.values()) or not fits(meta, {"version?": str}):
        return False
    if not fits(meta, META.get(task, dict)):
        return False
    if task in ("parity", "check"):  # names of probe, dtype and what it is, or of the path
        names = [*arrays, *meta["raised"], *meta["refused"], *meta["outcomes"]]
        return all(name.count("|") >= 2 for name in names)
    if task == "speed" and not all(name.count("|") == 2 and name.rpartition("|")[2].isdecimal() for name in arrays):
        return False  # what, task and batch size
    if task in ("speed", "gemm"):
        return bool(arrays) and all(
            value.ndim == 1 and value.size and value.dtype == float for value in arrays.values()
        )
    return True
