"""Half precision is judged by its own rounding, nothing else passes for it, and mistakes show."""

import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from mutants import MUTANTS, ROOT, load_mutant

import compare
from compare import contract, output
from compare.images import data
from compare.verdict import arbiter, judge, precision, probes, run, updates
from compare.verdict.allowances import LAMBDA, Rounding, Stages, update, whole_pass
from compare.verdict.observe import observe
from compare.verdict.packing import Question, pack, unpack
from numpy_cnn.layers import Layers


@pytest.fixture(scope="module")
def digits():
    return data.load("sample")


@pytest.fixture(scope="module")
def small(digits):
    """The probes whose sums are short, so that rounding hides nothing whole."""
    return [case for case in probes.make_probes(digits) if not case.name.startswith(("digits", "single"))]


def rows_of(implementation, cases, *dtypes, path=None):
    found, noted = observe(Question.of(cases, dtypes, path), implementation)
    return pd.DataFrame(run.judge_answer("candidate", found, noted, Question.of(cases, dtypes, path)))


def coarse(base, dtype="bfloat16", arithmetic="float32", held="float32"):
    """A class that computes as `base` does, stage by stage, and rounds all that goes in and comes out to a dtype."""

    def rounded(value):
        if isinstance(value, dict):
            return {name: rounded(each) for name, each in value.items()}
        return precision.rounded(value, dtype).astype(held) if np.ndim(value) and np.size(value) else value

    class Coarse(base):
        dtypes, lacks = (*precision.DTYPES, *precision.HALF), {}

        def __init__(self, *arguments, **settings):
            super().__init__(*arguments, **settings | {"dtype": arithmetic})

        def set_parameters(self, parameters):
            super().set_parameters(rounded(parameters))

        def get_parameters(self):
            return rounded(super().get_parameters())

    def through(name):
        return lambda self, x, *rest, **more: rounded(getattr(base, name)(self, rounded(x), *rest, **more))

    for name in ("activations", "gradients", "forward_stage", "backward_stage", "predict"):
        setattr(Coarse, name, through(name))
    return Coarse


# what is rounded, and to what, by hand: 1 + 2^-8 lies midway between 1 and 1 + 2^-7, and 1 is the even one
BFLOAT16 = {
    1 + 2**-8: 1.0,
    1 + 3 * 2**-8: 1 + 2**-6,
    1 + 2**-8 + 2**-20: 1 + 2**-7,
    -0.1: -0.10009765625,
    255.5 * 2.0**120: np.inf,
    -255.25 * 2.0**120: -255 * 2.0**120,
    2.0**-133: 2.0**-133,
    1.5 * 2.0**-133: 2.0**-132,
    2.0**-134: 0.0,
    -np.inf: -np.inf,
}


@pytest.mark.parametrize("number", BFLOAT16)
def test_a_number_becomes_the_nearest_bfloat16(number):
    found = precision.rounded(np.array(number), "bfloat16")
    assert found.dtype == np.float32 and found.shape == () and found == BFLOAT16[number]


def test_every_bfloat16_stays_what_it_is_and_between_two_the_nearest_is_taken():
    every = (np.arange(1 << 16, dtype=np.uint32) << 16).view(np.float32)
    finite = np.sort(every[np.isfinite(every)].astype(np.float64))
    assert np.array_equal(precision.rounded(every, "bfloat16"), every, equal_nan=True)
    rng = np.random.default_rng(0)
    share = rng.choice([0.25, 0.5, 0.75], finite.size - 1)
    low, high = finite[:-1], finite[1:]
    found = precision.rounded(low + share * (high - low), "bfloat16")
    even = (low.astype(np.float32).view(np.uint32) >> 16) % 2 == 0
    assert np.array_equal(found, np.where((share < 0.5) | ((share == 0.5) & even), low, high))


def test_units():
    assert precision.limits("float32") == (2**-24, 2**-126)
    assert precision.limits("float16") == (2**-11, 2**-25)
    assert precision.limits("bfloat16") == (2**-8, 2**-126)
    assert Rounding.of("float16").lost(4) == 4 * 2**-25
    assert Rounding.of("float16").lost(10_000) == LAMBDA * 100 * 2**-25
    assert 1 + np.float16(2**-11) == 1 and 1 + np.float16(2**-10) > 1
    assert np.float16(2**-25) == 0 and np.float16(1.01 * 2**-25) == 2**-24


def test_a_question_in_half_precision_comes_back_from_its_file_as_it_was(small):
    asked = Question.of(small[:2], precision.HALF)
    there = unpack(*pack(asked))
    assert [case.dtype for case in there.cases] == ["float16", "float16", "bfloat16", "bfloat16"]
    for one, other in zip(asked.cases, there.cases, strict=True):
        assert one.images.dtype == other.images.dtype == precision.held(one.dtype)
        for value in (one.images, *one.parameters.values(), *one.inputs.values()):
            assert np.array_equal(precision.rounded(value, one.dtype), value)


@pytest.mark.parametrize(
    ("implementation", "dtype"), [(Layers, "float16"), (coarse(Layers), "bfloat16")], ids=precision.HALF
)
def test_a_right_network_agrees(small, implementation, dtype):
    frame = rows_of(implementation, small, dtype)
    assert set(frame["outcome"]) <= {"agrees", "hidden"}, run.first_difference(frame).to_dict("records")
    hidden = frame[frame["outcome"] == "hidden"]
    assert set(hidden["quantity"]) <= {f"step_{name}" for name in contract.PARAMETERS}  # one step moves little
    assert len(frame) == len(small) * sum(map(len, judge.QUANTITIES.values())) - len(small) * len(
        judge.QUANTITIES["head"]
    )


@pytest.mark.parametrize("name", MUTANTS)
@pytest.mark.parametrize("dtype", precision.HALF)
def test_a_mistake_is_found_and_blamed_on_its_stage(small, tmp_path, monkeypatch, name, dtype):
    network = load_mutant(tmp_path, name, monkeypatch)
    frame = rows_of(network if dtype == "float16" else coarse(network), small, dtype)
    assert run.first_difference(frame)["stage"].tolist() == [MUTANTS[name][3]]


def scaled(base, quantity, factor):
    """One gradient of the dense layer alone is off by a factor."""

    class Scaled(base):
        def backward_stage(self, stage, *arguments, **more):
            found = super().backward_stage(stage, *arguments, **more)
            return found | (
                {quantity: found[quantity] * type(found[quantity].flat[0])(factor)} if quantity in found else {}
            )

    return Scaled


@pytest.mark.parametrize(("dtype", "factor"), [("bfloat16", 1.05), ("float16", 1.01)])
def test_a_gradient_that_is_a_little_too_large_is_caught_where_that_is_more_than_rounding(digits, dtype, factor):
    """One digit: the gradient of a weight is one product, and rounding is small."""
    one = [case for case in probes.make_probes(digits) if case.name == "single"]
    base = scaled(Layers, "dense_weight", factor)
    frame = rows_of(coarse(base) if dtype == "bfloat16" else base, one, dtype)
    failed = frame[frame["outcome"] == "differs"]
    assert set(failed["quantity"]) == {"d_dense_weight"} and set(failed["mode"]) == {"alone"}
    # and what is said of it holds: a little less than the smallest error that would be caught is not
    least = frame[(frame["quantity"] == "d_dense_weight") & (frame["mode"] == "alone")]["smallest_caught"].min()
    assert precision.limits(dtype)[0] < least < factor - 1
    unseen = scaled(Layers, "dense_weight", 1 + least / 2)
    again = rows_of(coarse(unseen) if dtype == "bfloat16" else unseen, one, dtype)
    assert not (again["outcome"] == "differs").any()


def test_a_coarser_arithmetic_is_not_taken_for_float16(small):
    """Of bfloat16: three of a number's eleven digits are missing."""
    frame = rows_of(coarse(Layers, "bfloat16", "float32", "float16"), small, "float16")
    failed = set(frame[frame["outcome"] == "differs"]["quantity"])
    assert {"pool", "d_conv", "kept_conv_weight", "step_dense_weight"} <= failed


def test_float32_is_not_taken_for_half_precision_and_its_numbers_rounded_once_are(small):
    frame = rows_of(coarse(Layers, "float32"), small[:1], "bfloat16", "float16")
    arrays = frame[
        ~frame["quantity"].isin(["loss", "step_loss", "pool", "d_conv"]) & ~frame["quantity"].str.startswith("kept_")
    ]
    assert set(arrays["outcome"]) == {"differs"}
    notes = arrays.groupby("dtype")["note"].agg("first")
    assert re.fullmatch(r"found -?\d\.\d+ and \d+ more that are no numbers of bfloat16", notes["bfloat16"])
    assert notes["float16"] == "found dtype float32, wanted float16"
    # rounded once it is more exact than arithmetic in float16 needs to be, and agrees
    once, throughout = (
        rows_of(network, small, "float16").set_index(["probe", "mode", "quantity"])["allowance_used"]
        for network in (coarse(Layers, "float16", "float32", "float16"), Layers)
    )
    assert once.max() <= 1 and once["definition", "alone", "conv"] <= throughout["definition", "alone", "conv"]


class WithoutFilters(Layers):
    """The gradient of the filters is zero."""

    def backward_stage(self, stage, *arguments, **more):
        found = super().backward_stage(stage, *arguments, **more)
        return found | ({"conv_weight": 0 * found["conv_weight"]} if stage == "conv" else {})


def test_what_rounding_may_hide_is_no_agreement(digits, small):
    first = probes.make_probes(digits)[:1]
    frame = rows_of(coarse(WithoutFilters), first, "bfloat16").set_index(["mode", "quantity"])
    assert frame.loc["alone", "d_conv_weight"]["outcome"] == "hidden"
    assert frame.loc["alone", "d_conv_weight"]["smallest_caught"] > 1
    assert np.isnan(frame.loc["alone", "d_conv_weight"]["allowance_used"])
    shorter = rows_of(coarse(WithoutFilters), small, "bfloat16")
    alone = shorter[(shorter["quantity"] == "d_conv_weight") & (shorter["mode"] == "alone")]
    assert set(alone["outcome"]) == {"differs"}

    class Wild(Layers):
        def backward_stage(self, stage, *arguments, **more):
            found = super().backward_stage(stage, *arguments, **more)
            return found | ({"conv_weight": 100 + found["conv_weight"] * 100} if stage == "conv" else {})

    wild = rows_of(coarse(Wild), first, "bfloat16").set_index(["mode", "quantity"])
    assert wild.loc["alone", "d_conv_weight"]["outcome"] == "differs"
    frame.attrs = {"arbiter_proven": True, "unavailable": {}}
    lines = output.verdict(frame.reset_index().assign(implementation="x"))
    assert any("that rounding may hide not judged" in line for line in lines)
    assert output.exit_code(frame.reset_index().assign(implementation="x")) == 0


def test_why_no_path_and_no_optimisers_are_asked_for(digits):
    """A step of the filters is less than rounding may do to it, and the bound of 1,000 roundings needs 1,000 u < 1."""
    path = probes.make_path(digits, steps=1)
    for dtype, least in (("float32", 0), ("float16", 1.5), ("bfloat16", 10)):
        images = precision.rounded(path.images[0], dtype).astype(float)
        here = {name: precision.rounded(value, dtype).astype(float) for name, value in path.parameters.items()}
        rounding = Rounding.of(dtype)
        right = whole_pass(Stages(arbiter, "valid", rounding), images, path.labels[0], here)
        after = update(here["conv_weight"], right["d_conv_weight"], probes.LEARNING_RATE, rounding)
        hidden = after.allowance / np.abs(after.value - here["conv_weight"])
        assert hidden.min() > least and (dtype != "float32" or hidden.max() < 0.01)
    assert updates.MOST * precision.limits("bfloat16")[0] > 1
    asked = rows_of(Layers, probes.make_probes(digits)[3:4], "float16", "float32", path=path)
    assert set(asked[asked["quantity"].str.startswith("path_")]["dtype"]) == {"float32"}
    with pytest.raises(ValueError, match="optimisers: found float16, wanted float32 or float64"):
        compare.parity("numpy-layers", "sample", dtypes="float16,float32", optimisers=True)


def test_no_sum_is_too_large_for_float16_in_whatever_order(digits):
    """No partial sum exceeds that of all positive terms, or of all negative ones."""
    for seed in range(3):
        large = next(case for case in probes.make_probes(digits, seed) if case.name == "large-logits").rounded(
            "float16"
        )
        images, upstream = large.images.astype(float), large.inputs["up_conv"].astype(float)
        kernel = large.parameters["conv_weight"].astype(float)
        signed, sizes = (
            arbiter.conv_backward(change(images), kernel, change(upstream), "valid")[1]
            for change in (np.positive, np.abs)
        )
        assert 10_000 < ((sizes + np.abs(signed)) / 2).max() < 65504


def test_each_says_what_it_does_not_offer_and_why():
    frame = compare.parity("numpy-fused", "sample", dtypes=["bfloat16"], few=True, progress=False)
    frame = frame[frame["implementation"] != "arbiter"]
    assert set(frame["outcome"]) == {"not offered"} and set(frame["note"]) == {"NumPy has no bfloat16"}
    assert output.exit_code(frame) == 3
    assert output.verdict(frame)[0] == (
        f"numpy-fused: offers none of the {len(frame)} quantities (NumPy has no bfloat16), so nothing was checked"
    )
    assert not hasattr(np, "bfloat16")


ASK_ONNX = """
import numpy as np, onnx, onnxruntime
from onnx import TensorProto, helper
node = helper.make_node("Conv", ["x", "w"], ["y"], kernel_shape=[3, 3])
kind, ENDS = TensorProto.BFLOAT16, (("x", 0), ("y", 1))
values = [helper.make_tensor_value_info(name, kind, [1, 1, 5 - 2 * out, 5 - 2 * out]) for name, out in ENDS]
weight = helper.make_tensor("w", kind, [1, 1, 3, 3], [1.0] * 9)
model = helper.make_model(helper.make_graph([node], "conv", values[:1], values[1:], [weight]), ir_version=10,
                          opset_imports=[helper.make_opsetid("", 22)])
try:
    onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
except Exception as error:
    print(type(error).__name__, error)
"""


def test_onnx_runtime_itself_says_that_it_has_no_convolution_in_bfloat16():
    done = subprocess.run([sys.executable, "-c", ASK_ONNX], capture_output=True, text=True, timeout=100, cwd=ROOT)
    assert "NotImplemented" in done.stdout and "Conv(22)" in done.stdout, done.stdout + done.stderr
