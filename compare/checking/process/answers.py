"""The form of what the process of the code answers: what has another one is no answer, and the process is ended."""

import numpy as np

from compare.cells.forms import fits
from compare.checking.process.messages import MalformedError
from compare.checking.process.things import signature

TEXT = (str, None)
RAISED = {"type": str, "bases": [str], "texts": [str], "frames": [[TEXT, (int, None)]], "name": TEXT}
ABOUT = {"name": str, "module": TEXT, "file": TEXT, "bases": [[str, str]], "kind": str}
CLASS = {"called": str, "signature": object, "constants": dict, "methods": dict, "exception": bool}
VALUES = {
    "call": {"value": object, "changed": dict},
    "arrays": [[[(str, int, float, bool, None)], np.ndarray, int]],
    "read": [object],
    "inventory": [ABOUT],
    "told": {"ours": [str], "frameworks": [str], "seeded": [str], "absent": [str]},
    **dict.fromkeys(("module", "file", "given", "set_named"), int),
}  # by what is asked; of the rest nothing comes back


def checked(request, answer):
    """An answer as it is, None for the end of all, where it has the form that this request asks for.

    Args:
        request: None for one of which nothing comes back.
    Raises:
        MalformedError: another form.
    """
    if answer is None:
        return None
    do = request["do"] if request else ""
    if isinstance(answer, dict) and "raised" in answer:
        good = fits(answer, {"raised": RAISED}) and answer["raised"]["texts"]
    else:
        good = fits(answer, {"value": VALUES.get(do)})
        if good and do == "read":
            good = len(answer["value"]) == len(request["paths"])
        elif good and do == "inventory":
            good = all(map(_is_about, answer["value"]))
    if not good:
        raise MalformedError(f"another form than is wanted of {do or 'a thing'}")
    return answer


def _is_about(about):
    """Whether what is said of a class or function says all of it."""
    if about["kind"] == "class":
        return fits(about, CLASS) and all(map(_is_signature, [about["signature"], *about["methods"].values()]))
    if about["kind"] == "function":
        return fits(about, {"called": str, "signature": object}) and _is_signature(about["signature"])
    return about["kind"] in ("module", "object")


def _is_signature(described):
    if not fits(described, (None, [[str, int, ([str], [str, object])]])):
        return False
    try:
        signature(described)
    except ValueError:  # names that are none, or twice there
        return False
    return True
