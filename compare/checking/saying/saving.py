"""`check --save`: the smallest failing case as a file of arrays, and a script of 20 lines that shows the difference."""

from pathlib import Path

import numpy as np

from compare.cells.cells import write_result
from compare.checking.judging.judgement import beside, parameters_of
from compare.files import write_text
from compare.graph import STAGE_INPUT

SCRIPT = '''\
"""The smallest case in which somebody's code differs. Needs NumPy alone; run it beside case.npz."""

from pathlib import Path

import numpy as np

NAME = {name}
case = np.load(Path(__file__).with_name("case.npz"), allow_pickle=False)
# Into it went what is named input_..., with weights and labels; `found` is what your code made of it.
for name in case.files:
    if name.startswith("input_"):
        print(name.removeprefix("input_"), case[name].shape, case[name].dtype)
found, wanted, allowance = case["found"], case["wanted"], case["allowance"]
if found.shape != wanted.shape:
    raise SystemExit(f"found shape {{found.shape}}, wanted {{wanted.shape}}")
wrong = ~(np.abs(found - wanted) <= allowance)
print(f"{{NAME}}: {{wrong.sum()}} of {{wrong.size}} numbers differ by more than rounding")
for index in np.argwhere(wrong)[:10]:
    at = tuple(index)
    print(index, "found", found[at], "wanted", wanted[at], "allowed", allowance[at])
'''


def save_case(result, folder):
    """Write case.npz and show.py for the smallest row that differs.

    Args:
        result: `CheckResult`.
        folder: made if it is not there.
    Returns:
        Path of the script, or None where nothing of the network differs in a probe (or only along the training path).
    Raises:
        OSError: it cannot be written.
    """
    judgement = result.judgement
    rows = [row for row in judgement.rows if row["outcome"] == "differs" and row["stage"] != "training path"]
    rows = [row for row in rows if not beside(row["quantity"])]
    rows = [row for row in rows if judgement.sides(row)[1] is not None]  # what holds no numbers has no case
    if not rows:
        return None
    first = [row for row in rows if row["stage"] == judgement.stage] or rows
    cases = judgement.evidence.cases
    row = min(first, key=lambda row: (row["mode"] == "run", cases[row["probe"], row["dtype"]].images.size))
    case, found, wanted = judgement.sides(row)
    arrays = {f"input_{name}": value for name, value in parameters_of(case).items()}
    arrays |= _inputs(case, row) | {"input_labels": case.labels}
    arrays |= {"found": np.asarray(found), "wanted": wanted.value, "allowance": wanted.allowance}
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    about = {name: row[name] for name in ("stage", "quantity", "mode", "probe", "dtype")}
    write_result(folder / "case.npz", about, arrays)
    title = f"{row['stage']}, {row['quantity']}, {row['dtype']}"
    # a name is data, whatever stands in it: an expression in plain letters, never pasted into code
    name = ascii(f"{Path(result.target).name}, {title}")
    write_text(folder / "show.py", SCRIPT.format(name=name))
    return folder / "show.py"


def _inputs(case, row):
    if row["mode"] == "run":
        return {"input_images": case.images}
    if row["mode"] == "head":
        return {"input_pool": case.inputs["pool"]}
    quantity = row["quantity"]
    backward = {"d_logits": "loss", "d_conv": "pool", "d_images": "conv", "d_conv_weight": "conv"}
    stage = backward.get(quantity, "logits") if quantity.startswith("d_") else quantity
    given = STAGE_INPUT[stage]
    inputs = {f"input_{given}": case.images if given == "images" else case.inputs[given]}
    if quantity.startswith("d_"):
        inputs["input_upstream"] = case.inputs[f"up_{stage}"]
    return inputs
