"""`compare.check` where the arrays are of a strange dtype or None, and the words for what differs by a convention."""

import re

import numpy as np
import pytest
from strangers import BATCH, CONV, FUNCTIONS, POOL, SOFTMAX

import compare
from compare.cells.cells import write_result
from compare.checking.judging.judgement import AVERAGE_POOLING
from compare.verdict import arbiter, check_probes
from compare.verdict.allowances import Rounding, Stages
from compare.verdict.changed import ChangedStages
from compare.verdict.expected import Expected
from compare.verdict.judge import judge_probe
from compare.verdict.network import Network
from compare.verdict.observe import observe
from compare.verdict.packing import PATH, Question, by_case, pack_answer
from compare.verdict.path import judge_path
from numpy_cnn.layers import Layers

BACK = 'self.dW = np.einsum("nchwij,nfhw->fcij", view, dout)'
# source, what is replaced and by what, stage, dtype that is found
DTYPES = {
    "conv complex": (CONV, "        return out", "        return out + 1j", "conv forward", "complex"),
    "conv complex, 0j": (BATCH, "view, self.W) +", "view, self.W) + 0j +", "conv forward", "complex"),
    "conv of objects": (BATCH, "view, self.W) +", "view, self.W).astype(object) +", "conv forward", "object"),
    "conv of integers": (
        FUNCTIONS,
        "view, w) + b, (x",
        "view, w).astype(int) + b.astype(int), (x",
        "conv forward",
        "int64",
    ),
    "pool alone in single precision": (
        CONV + POOL,
        "return x.max(axis=(1, 3))",
        "return x.max(axis=(1, 3)).astype(np.float32)",
        "pool forward",
        "float32",
    ),
    "pool complex": (
        FUNCTIONS,
        "return parts.max(axis=3)",
        "return parts.max(axis=3) + 0j",
        "pool forward",
        "complex",
    ),
    "softmax complex": (FUNCTIONS, "return e / e.sum", "return 1j * 0 + e / e.sum", "softmax forward", "complex"),
    "loss complex": (FUNCTIONS, "labels]).mean()", "labels]).mean() + 1j", "loss forward", "complex"),
    "gradient of the loss": (FUNCTIONS, "return d / len", "return 1j + d / len", "loss backward", "complex"),
    "stored gradient complex": (BATCH, BACK, BACK + " + 0j", "conv backward", "complex"),
    "stored gradient of objects": (BATCH, BACK, f"{BACK}.astype(object)", "conv backward", "object"),
    "stored gradient of integers": (BATCH, BACK, f"{BACK}.astype(int)", "conv backward", "int64"),
    "returned gradient complex": (FUNCTIONS, "flat.T @ dout,", "flat.T @ dout + 1j,", "dense backward", "complex"),
    "weights complex": (
        CONV,
        "self.filters -= learn_rate * d",
        "self.filters = self.filters - 1j * d",
        "conv backward",
        "complex",
    ),
    "head complex": (
        CONV + POOL + SOFTMAX,
        "return e / e.sum()",
        "return e / e.sum() + 1j",
        "softmax forward",
        "complex",
    ),
    "gradient of the pool": (
        CONV + POOL,
        "        return d_input",
        "        return d_input.astype(np.float32)",
        "pool backward",
        "float32",
    ),
}


@pytest.fixture
def written(tmp_path):
    def write(text, *pairs):
        for old, new in pairs:
            assert old in text, old
            text = text.replace(old, new)
        (tmp_path / "my_cnn.py").write_text("import numpy as np\n" + text)
        return str(tmp_path / "my_cnn.py")

    return write


@pytest.mark.parametrize("case", DTYPES)
def test_a_dtype_that_was_not_asked_for_is_a_finding(case, written):
    text, old, new, stage, dtype = DTYPES[case]
    result = compare.check(written(text, (old, new)))
    assert result.exit_code == 1, f"\n{result}"
    assert result.judgement.stage == stage, f"\n{result}"
    assert re.search(
        rf"{stage.replace(' ', ' +')} +DIFFERS .*found dtype {dtype}\d*, wanted float(32|64)", str(result)
    ), result
    differing = {row["stage"] for row in result.judgement.rows if row["outcome"] == "differs"}
    assert differing <= {stage, "prediction"}, f"\n{result}"  # what comes after is held to its own


def test_a_case_without_numbers_is_not_saved(written, tmp_path):
    from compare.checking.saying.saving import save_case

    assert save_case(compare.check(written(CONV, DTYPES["conv complex"][1:3])), tmp_path / "case") is None
    assert not (tmp_path / "case").exists()


class Lacking(Layers):
    """Gives None for what it does not have."""

    def gradients(self, images, labels):
        return {**super().gradients(images, labels), "dense_bias": None}

    def activations(self, images, labels):
        return {**super().activations(images, labels), "loss": None}

    def step(self, images, labels, learning_rate):
        super().step(images, labels, learning_rate)

    def predict(self, images):
        return None


def observed(implementation, tmp_path):
    cases, path = [case for case in check_probes.batches() if case.name == "mnist-size"], check_probes.path()
    found, noted = observe(Question.of(cases, ["float64"], path), implementation)
    arrays, meta = pack_answer(found, noted)
    write_result(tmp_path / "result.npz", meta, arrays)  # as a cell does
    seen, raised = (by_case(named)[cases[0].name, "float64"] for named in (found, noted["raised"]))
    rows = judge_probe("", cases[0].rounded("float64"), "float64", seen, raised)
    walked = by_case(found)[PATH, "float64"]
    return rows + judge_path("", path, "float64", walked, noted["raised"].get("path|float64|path"))


def test_none_is_not_offered(tmp_path):
    rows = observed(Lacking, tmp_path)
    outcomes = {(row["mode"], row["quantity"]): row["outcome"] for row in rows}
    without = {("run", name) for name in ("loss", "d_dense_bias", "step_loss", "path_loss")}
    assert {key for key, outcome in outcomes.items() if outcome == "not offered"} == without
    assert {key for key, outcome in outcomes.items() if outcome not in ("agrees", "not offered")} == {
        ("run", "predict")
    }
    (row,) = [row for row in rows if row["outcome"] == "raised"]
    assert row["note"] == "TypeError: predict returned None, wanted an array: is a return missing?"


class Imaginary(Layers):
    """A loss with an imaginary part, and objects for gradients."""

    def gradients(self, images, labels):
        found = super().gradients(images, labels)
        return {**found, "conv": found["conv"].astype(object)}

    def activations(self, images, labels):
        return {**super().activations(images, labels), "loss": np.complex128(1j)}


def test_any_implementation_is_held_to_its_dtype(tmp_path):
    notes = {row["quantity"]: row["note"] for row in observed(Imaginary, tmp_path) if row["outcome"] != "agrees"}
    assert notes == {
        "loss": "found dtype complex128, wanted float64",
        "d_conv": "found dtype object, wanted float64",
    }


NO_SUM = ("d_filters[f] += d_out[i, j, f] * region", "d_filters[f] = d_out[i, j, f] * region")
AVERAGE = POOL.replace("MaxPool2", "AvgPool2").replace("x.max(", "x.mean(")
AVERAGE = AVERAGE[: AVERAGE.index("        for i in range(p):")] + (
    "        d_input[:2 * p, :2 * q] = d_out.repeat(2, axis=0).repeat(2, axis=1) / 4\n        return d_input\n"
)


def remarks(result):
    return [note for note in result.notes if "pooling" in note and note.startswith("remark")]


@pytest.mark.parametrize("pairs", [(), (NO_SUM,)])
def test_a_maximum_under_the_name_of_an_average(pairs, written):
    result = compare.check(written(CONV + POOL.replace("MaxPool2", "AvgPool2") + SOFTMAX, *pairs))
    assert result.exit_code == len(pairs), f"\n{result}"
    assert result.judgement.stage == ("conv backward" if pairs else ""), f"\n{result}"
    assert result.judgement.named == ("filter gradient of the last window only" if pairs else ""), f"\n{result}"
    assert remarks(result) == ["remark: pooling takes the maximum, and is average by its name"]


def test_a_wrong_average_is_held_to_the_average(written):
    result = compare.check(written(CONV + AVERAGE + SOFTMAX, ("axis=1) / 4", "axis=1) / 2")))
    assert result.exit_code == 1
    assert result.judgement.conventions == (AVERAGE_POOLING,)
    assert remarks(result) == [f"remark: {AVERAGE_POOLING.remark}"]
    (line,) = [line for line in str(result).splitlines() if line.startswith("pool      backward")]
    assert "DIFFERS" in line and "2 x" in line and not line.endswith("dtype"), line
    assert "dtype" not in str(result) and "right numbers" not in str(result)


SUM = ("return d / len(labels)", "return d")
PARTS = {
    "dense weight": ("flat.T @ dout,", "flat.T @ dout / len(dout),", "dense     backward"),
    "bias": ("dout.sum(axis=0)\n", "dout.sum(axis=0) / len(dout)\n", "dense     backward"),
    "filter": ("return dx, dw, dout.sum(", "return dx, dw / len(dout), dout.sum(", "conv      backward"),
}


@pytest.mark.parametrize("forgotten", ["bias", "filter"])
def test_a_gradient_that_is_too_large_by_the_batch(forgotten, written):
    """Divided by the batch at each parameter but one, whose numbers are those of a right loss that is averaged."""
    result = compare.check(written(FUNCTIONS, SUM, *(pair[:2] for name, pair in PARTS.items() if name != forgotten)))
    assert result.exit_code == 1
    assert result.judgement.named == f"{forgotten} gradient not divided by the batch", f"\n{result}"
    (line,) = [line for line in str(result).splitlines() if line.startswith(PARTS[forgotten][2])]
    assert "DIFFERS" in line and "2 times what it should be, everywhere" in line, line
    assert line.endswith("by the convention: divided at the parameters")


@pytest.mark.parametrize("seed", range(12))
def test_what_large_logits_show_does_not_hang_on_the_seed(seed):
    """Beside small ones the label has probability 0; alone 1, in the batch before it too, so that -1 / p is finite."""
    beside, known = (case for case in check_probes.batches(seed) if case.name in check_probes.LARGE)
    for case, rows in ((beside, 2), (known, 1)):
        case = case.rounded("float32")
        logits, labels = case.inputs["logits"][:rows], case.labels[:rows]
        assert np.diff(np.sort(np.append(logits, 0))).min() >= 1000
        assert ((logits.argmax(axis=1) == labels) == (case.name == known.name)).all()
    images, labels = known.earlier_batch()
    before = Layers(**known.geometry, dtype="float64")
    before.set_parameters(known.parameters)
    assert before.activations(images, labels)["probabilities"][0, labels[0]] == 1


@pytest.mark.parametrize("seed", [0, 4, 1051])
def test_a_softmax_without_its_shift_on_the_way_back(tmp_path, seed):
    """The Jacobian of exponentials of 1e5: wrong with every seed, named, and said to be only there."""
    (tmp_path / "cnn.py").write_text("import numpy as np\n" + SOFTMAX.replace(" - self.last_totals.max()", ""))
    result = compare.check(tmp_path / "cnn.py", seed=seed)
    assert [defect.name for (defect,) in result.judgement.diagnosis] == ["d_logits of large logits is no number"]
    assert "DIFFERS only at logits of 1e5" in str(result)


def test_what_is_0_allows_a_changed_network_no_more():
    """A gain over 0 would be endless: 1e-7 where 0 is right would be as good as any other number."""
    case = next(case for case in check_probes.batches() if case.name == "large-known").rounded("float64")
    network = Network(arbiter)
    network.loss = lambda logits, labels: np.float64(1e-7)
    stages = ChangedStages(Stages(arbiter, "valid", Rounding.of("float64")), network)
    assert Expected(case, stages, {}).of("alone", "loss").allowance < 1e-12


def test_what_is_random_is_judged_alike_twice(tmp_path):
    """The code's own random numbers begin alike in every process, so that an answer can be asked for again."""
    (tmp_path / "pool.py").write_text(
        "import random\nimport numpy as np\n"
        + POOL.replace("x.max(axis=(1, 3))", "x.max(axis=(1, 3)) + np.random.rand() + random.random()")
    )
    first, second = (compare.check(tmp_path / "pool.py").judgement.rows for _ in range(2))
    assert [row["max_abs_error"] for row in first] == pytest.approx(
        [row["max_abs_error"] for row in second], rel=0, abs=0, nan_ok=True
    )
    assert any(row["outcome"] == "differs" for row in first)
