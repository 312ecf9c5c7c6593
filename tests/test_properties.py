"""What holds for every way of writing the network in NumPy, whatever comes in: drawn by Hypothesis.

Values are judged by the verdict that `compare` gives to any implementation. To hold another way to the same, add a line
to WAYS.
"""

import warnings
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from compare.contract import ACTIVATIONS, BACKWARD, PARAMETERS
from compare.graph import STAGE_INPUT
from compare.verdict import arbiter, judge
from compare.verdict.allowances import Rounding, Stages, whole_pass
from compare.verdict.probes import LEARNING_RATE, Probe
from numpy_cnn.checks import CHUNK
from numpy_cnn.fused import Fused
from numpy_cnn.layers import Layers
from numpy_cnn.one_by_one import Loops

WAYS = [
    Layers,
    Loops,
    Fused,
]

DTYPES = ("float32", "float64")
# Of images, per dtype: denormal, tiny, small, usual, large, huge. What follows from them, and the squares that the
# allowances take, stays within the range of the dtype (float64 for the squares).
MAGNITUDES = {"float32": (1e-42, 1e-30, 1e-4, 1.0, 1e4, 1e12), "float64": (1e-310, 1e-150, 1e-4, 1.0, 1e4, 1e60)}
WEIGHTS = (1e-6, 1.0, 30.0)

each_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)


def examples(count):
    """The same examples in every run, so that a failure is a failure for everybody."""
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(deadline=None, max_examples=count, derandomize=True, suppress_health_check=slow)


# how an array may lie in memory


def _as_it_is(array):
    return array.copy()


def _fortran(array):
    return np.array(array, order="F")


def _negative(array):
    turned = (slice(None, None, -1),) * array.ndim
    return array[turned].copy()[turned]


def _every_second(array):
    """Between the values lies what nobody may read as one of them: NaN, or a label that no network has."""
    around = np.full([2 * size for size in array.shape], np.nan if array.dtype.kind == "f" else -1, array.dtype)
    view = around[(slice(1, None, 2),) * array.ndim]
    view[...] = array
    return view


def _unaligned(array):
    memory = np.zeros(array.nbytes + 1, np.uint8)
    view = memory[1:].view(array.dtype).reshape(array.shape)
    view[...] = array
    return view


LAYOUTS = {
    "as it is": _as_it_is,
    "Fortran": _fortran,
    "negative strides": _negative,
    "every second": _every_second,
    "unaligned": _unaligned,
}


def memory_of(array):
    """The bytes of an array and of all that it is a view of."""
    whole = [array.tobytes()]
    while isinstance(array.base, np.ndarray):
        array = array.base
        whole.append(array.tobytes())
    return whole


@dataclass(frozen=True)
class Drawn:
    """A batch for a network of its own, and how its arrays are to lie in memory."""

    case: Probe
    dtype: str
    layout: str
    writeable: bool

    def arranged(self, array):
        """The same values in the drawn layout; a scalar has none."""
        if np.ndim(array) == 0:
            return array
        laid = LAYOUTS[self.layout](array)
        laid.flags.writeable = self.writeable
        return laid

    def network(self, way):
        """A network of this way with the drawn parameters."""
        model = way(**self.case.geometry, dtype=self.dtype)
        model.set_parameters({name: self.arranged(value) for name, value in self.case.parameters.items()})
        return model


@st.composite
def batches(draw, most_images=4):
    """Images of one kind or of a kind each, H != W more often than not, and parameters that may tie filters as well."""
    dtype = draw(st.sampled_from(DTYPES))
    padding = draw(st.sampled_from(("valid", "same")))
    least = 4 if padding == "valid" else 3
    count, channels = draw(st.integers(1, most_images)), draw(st.integers(1, 3))
    shape = (count, draw(st.integers(least, 9)), draw(st.integers(least, 9)), channels)
    filters, classes = draw(st.integers(1, 4)), draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kinds = draw(st.lists(st.sampled_from(("uniform", "flat", "half flat", "levels", "zero")), min_size=1, max_size=2))
    sizes = draw(st.lists(st.sampled_from(MAGNITUDES[dtype]), min_size=1, max_size=2))
    images = np.stack([_image(kinds[n % len(kinds)], shape[1:], rng) * sizes[n % len(sizes)] for n in range(count)])
    border = 2 if padding == "valid" else 0
    inputs = ((shape[1] - border) // 2) * ((shape[2] - border) // 2) * filters
    parameters = {
        "conv_weight": rng.standard_normal((3, 3, channels, filters)) * draw(st.sampled_from(WEIGHTS)),
        "dense_weight": rng.standard_normal((inputs, classes)) * draw(st.sampled_from(WEIGHTS)),
        "dense_bias": rng.standard_normal(classes),
    }
    if draw(st.booleans()):  # multiples of 1/4: with "levels" ties that every order of sums keeps
        parameters["conv_weight"] = np.round(parameters["conv_weight"] * 4) / 4
    case = Probe("drawn", "", images, rng.integers(0, classes, count), parameters, padding).rounded(dtype)
    event(f"{dtype}, {padding}")
    return Drawn(case, dtype, draw(st.sampled_from(sorted(LAYOUTS))), draw(st.booleans()))


def _image(kind, shape, rng):
    image = rng.uniform(-0.5, 0.5, shape)
    if kind == "levels":
        return np.round(image * 4) / 4
    if kind == "flat":
        return np.full(shape, image.flat[0])
    if kind == "half flat":
        image[:, : shape[1] // 2] = image.flat[0]
    return image * (kind != "zero")


def observed(model, drawn):
    """Everything that the contract offers, by (mode, quantity); every array in the drawn layout."""
    case, a = drawn.case, drawn.arranged
    images, labels = a(case.images), a(case.labels)
    model.gradients(images[::-1][:1], labels[::-1][:1])  # another batch first: nothing of it may be left
    found = {("run", name): value for name, value in model.activations(images, labels).items()}
    found |= {("run", f"d_{name}"): value for name, value in model.gradients(images, labels).items()}
    found["run", "predict"] = model.predict(images)
    given_to = {**case.inputs, "images": case.images}
    for stage in ACTIVATIONS:
        x, of_loss = a(given_to[STAGE_INPUT[stage]]), labels if stage == "loss" else None
        found["alone", stage] = model.forward_stage(stage, x, of_loss)
        if stage in BACKWARD:
            back = model.backward_stage(stage, x, a(case.inputs[f"up_{stage}"]), of_loss)
            found |= {("alone", f"d_{name}"): value for name, value in back.items()}
    found |= {("run", f"kept_{name}"): value for name, value in model.get_parameters().items()}
    found["run", "kept_images"] = images
    found["run", "step_loss"] = model.step(images, labels, LEARNING_RATE)
    found |= {("run", f"step_{name}"): value for name, value in model.get_parameters().items()}
    return {name: np.asarray(value) for name, value in found.items()}


def whole(drawn):
    """The arbiter's pass with the allowances of every quantity."""
    case = drawn.case
    stages = Stages(arbiter, case.padding, Rounding.of(drawn.dtype))
    parameters = {name: value.astype(np.float64) for name, value in case.parameters.items()}
    return whole_pass(stages, case.images.astype(np.float64), case.labels, parameters)


# the properties


@each_way
@examples(100)
@given(drawn=batches())
def test_every_result_is_within_its_rounding(way, drawn):
    found = observed(drawn.network(way), drawn)
    rows = judge.judge_probe(way.__name__, drawn.case, drawn.dtype, found, {})
    assert {(row["mode"], row["quantity"]) for row in rows} == set(found)
    wrong = [row for row in rows if row["outcome"] != "agrees"]
    assert not wrong, wrong[:3]


@each_way
@examples(50)
@given(drawn=batches(most_images=3))
def test_nothing_that_comes_in_is_changed(way, drawn):
    case, laid, before = drawn.case, [], []

    def watched(array):
        laid.append(drawn.arranged(array))
        before.append(memory_of(np.asarray(laid[-1])))
        return laid[-1]

    model = drawn.network(way)
    model.set_parameters({name: watched(case.parameters[name]) for name in PARAMETERS})
    images, labels = watched(case.images), watched(case.labels)
    given_to = {name: watched(value) for name, value in case.inputs.items()} | {"images": images}
    model.activations(images, labels)
    model.gradients(images, labels)
    model.predict(images)
    for stage in ACTIVATIONS:
        of_loss = labels if stage == "loss" else None
        model.forward_stage(stage, given_to[STAGE_INPUT[stage]], of_loss)
        if stage in BACKWARD:
            model.backward_stage(stage, given_to[STAGE_INPUT[stage]], given_to[f"up_{stage}"], of_loss)
    model.step(images, labels, LEARNING_RATE)
    assert [memory_of(np.asarray(array)) for array in laid] == before


@each_way
@examples(50)
@given(drawn=batches(most_images=3))
def test_what_came_out_is_safe_to_keep(way, drawn):
    model, case = drawn.network(way), drawn.case
    out = [model.get_parameters(), model.activations(case.images, case.labels)]
    out += [model.gradients(case.images, case.labels), {"predict": model.predict(case.images)}]
    kept = [{name: np.array(value) for name, value in found.items()} for found in out]
    model.gradients(case.images[:1] * 0.5, case.labels[:1])
    model.predict(case.images * 0.5)
    model.step(case.images * 0.5, case.labels, LEARNING_RATE)
    for found, before in zip(out, kept, strict=True):
        assert all(np.asarray(found[name]).tobytes() == before[name].tobytes() for name in before)


@each_way
@examples(40)
@given(drawn=batches(most_images=3), given_dtype=st.sampled_from(("uint8", "float16", "float32", "float64")))
def test_results_have_the_dtype_of_the_network_whatever_the_images_have(way, drawn, given_dtype):
    model, case = drawn.network(way), drawn.case
    with warnings.catch_warnings():  # values that the given dtype does not hold are none of the network's business
        warnings.simplefilter("ignore")
        images = np.nan_to_num(drawn.arranged(case.images).astype(given_dtype), posinf=1.0, neginf=-1.0)
    images = np.clip(images, -1, 1) if given_dtype != "uint8" else images
    found = [*model.activations(images, case.labels).values(), *model.gradients(images, case.labels).values()]
    found.append(model.predict(images))
    assert isinstance(model.step(images, case.labels, LEARNING_RATE), float)
    found += model.get_parameters().values()
    assert {np.asarray(value).dtype for value in found} == {np.dtype(drawn.dtype)}


@each_way
@examples(60)
@given(drawn=batches())
def test_a_result_does_not_depend_on_what_else_is_in_the_batch(way, drawn):
    """Alone or among others, by `activations` or by `predict`: two results that each may be off by their rounding."""
    model, case, allowed = drawn.network(way), drawn.case, whole(drawn)
    together, predicted = model.activations(case.images, case.labels), model.predict(case.images)
    d_logits, count = model.gradients(case.images, case.labels)["logits"], len(case.images)
    assert (np.abs(predicted - together["probabilities"]) <= 2 * allowed["probabilities"].allowance).all()
    for n in range(count):
        images, labels = case.images[n : n + 1], case.labels[n : n + 1]
        alone = model.activations(images, labels)
        for name in ("conv", "pool", "logits", "probabilities"):
            difference = np.abs(alone[name][0].astype(np.float64) - together[name][n])
            assert (difference <= 2 * allowed[name].allowance[n]).all(), name
        assert (np.abs(model.predict(images)[0] - predicted[n]) <= 2 * allowed["probabilities"].allowance[n]).all()
        one = replace(drawn, case=replace(case, images=images, labels=labels))
        slack = whole(one)["d_logits"].allowance[0] + count * allowed["d_logits"].allowance[n]
        difference = model.gradients(images, labels)["logits"][0].astype(np.float64) - count * d_logits[n]
        # N copies of a number round once more when they are multiplied here
        assert (np.abs(difference) <= slack + np.finfo(drawn.dtype).eps).all()


@each_way
@pytest.mark.parametrize("count", [CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 3])
def test_predictions_of_many_images_are_those_of_each(way, count):
    rng = np.random.default_rng(count)
    model = way((5, 6, 2), 3, 4, "same")
    images = rng.uniform(-0.5, 0.5, (count, 5, 6, 2)).astype(np.float32)
    together = model.predict(images)
    assert together.shape == (count, 4)
    for n in {0, count // 2, CHUNK - 2, count - 2, count - 1}:
        np.testing.assert_allclose(model.predict(images[n : n + 1])[0], together[n], rtol=1e-5)


@examples(20)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(4, 9), st.integers(4, 9), st.integers(1, 3)),
    filters=st.integers(1, 5),
    dtype=st.sampled_from(DTYPES),
)
def test_all_ways_start_at_the_same_point(seed, shape, filters, dtype):
    start, *others = (way(shape, filters, 3, dtype=dtype, seed=seed).get_parameters() for way in WAYS)
    for other in others:
        assert all(start[name].tobytes() == other[name].tobytes() for name in PARAMETERS)
