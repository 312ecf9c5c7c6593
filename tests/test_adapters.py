"""The contract of the adapters of PyTorch and Keras, against `numpy_cnn` in float64, each in a process of its own."""

import inspect

import numpy as np
import pytest
from adapters import CASES, SMALL, awkward, independent, problem, public_methods, run

from compare.contract import BACKWARD, Implementation
from compare.verdict.precision import DTYPES, HALF, held, rounded
from numpy_cnn import CNN

every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
both_dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])


longer = [pytest.param(name, marks=pytest.mark.thorough) for name in ("keras-jax", "keras-torch")]
CLOSE = {"float64": {"rtol": 1e-10, "atol": 1e-13}, "float32": {"rtol": 1e-4, "atol": 1e-5}}


@pytest.fixture(params=["torch", "keras", *longer])
def child(request):
    """Calls a function of `adapters` in the process of a framework."""
    return request.getfixturevalue(f"{request.param}_child".replace("-", "_"))


def assert_close(found, wanted, dtype="float64"):
    assert set(found) == set(wanted)
    for name in wanted:
        assert found[name].dtype == dtype and found[name].shape == wanted[name].shape, name
        np.testing.assert_allclose(found[name], wanted[name], **CLOSE[dtype], err_msg=name)


def test_the_contract_is_kept(child):
    wanted = {
        name: list(inspect.signature(f).parameters) for name, f in vars(Implementation).items() if inspect.isfunction(f)
    }
    wanted = {name: taken for name, taken in wanted.items() if name == "__init__" or name[0] != "_"}
    assert child(public_methods) == wanted | {"save": ["self", "path"], "load": ["self", "path"]}


@pytest.mark.parametrize("dtype", [*DTYPES, *HALF])
def test_parameters_go_in_and_out_to_the_bit(child, dtype):
    dtype = child.offered(dtype)
    rng = np.random.default_rng(3)
    parameters = {name: rounded(rng.standard_normal(shape), dtype) for name, shape in CNN(**SMALL).shapes.items()}
    info = np.finfo(held(dtype))
    tiny, largest = (2.0**-133, 255 * 2.0**120) if dtype == "bfloat16" else (info.smallest_subnormal, info.max)
    for value in parameters.values():
        value.flat[:4] = -0.0, tiny, -3 * tiny, largest
    _, found = child(run, SMALL | {"dtype": dtype}, ("set_parameters", parameters), ("get_parameters",))
    for name, value in parameters.items():
        assert found[name].dtype == held(dtype) and found[name].flags.c_contiguous
        assert found[name].tobytes() == value.tobytes(), name


def test_start_values_follow_the_seed(child):
    (first,), (again,), (other,) = (child(run, {"seed": seed}, ("get_parameters",)) for seed in (5, 5, 6))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["conv_weight"], other["conv_weight"])


@every_case
@pytest.mark.parametrize("n", [1, 4])
def test_activations_and_gradients(child, case, n):
    reference, parameters, images, labels = problem(case, n)
    calls = ("set_parameters", parameters), ("activations", images, labels), ("gradients", images, labels)
    _, activations, gradients, predicted, kept = child(
        run, case | {"dtype": child.offered()}, *calls, ("predict", images), ("get_parameters",)
    )
    assert_close(activations, reference.activations(images, labels), child.offered())
    assert_close(gradients, reference.gradients(images, labels), child.offered())
    assert_close({"p": predicted}, {"p": reference.predict(images)}, child.offered())
    assert all(np.array_equal(kept[name], value.astype(child.offered())) for name, value in parameters.items())


@every_case
def test_each_stage_alone(child, case):
    reference, parameters, images, labels = problem(case)
    rng = np.random.default_rng(1)
    before = reference.activations(images, labels)
    inputs = {"conv": images, "pool": before["conv"], "logits": before["pool"], "loss": before["logits"]}
    inputs = {stage: rng.standard_normal(value.shape) for stage, value in inputs.items()}
    for stage in BACKWARD:
        upstream = rng.standard_normal(np.shape(before[stage]))
        extra = (labels,) if stage == "loss" else ()
        forward, backward = (stage, inputs[stage], *extra), (stage, inputs[stage], upstream, *extra)
        _, y, d = child(
            run, case | {"dtype": child.offered()},
            ("set_parameters", parameters), ("forward_stage", *forward), ("backward_stage", *backward),
        )  # fmt: skip
        assert set(d) == set(BACKWARD[stage])
        assert_close({"y": y}, {"y": np.asarray(reference.network.forward_stage(*forward))}, child.offered())
        assert_close(d, reference.network.backward_stage(*backward), child.offered())


@both_dtypes
def test_a_tie_goes_to_the_first_maximum(child, dtype):
    x = np.zeros((1, 4, 4, 1))
    x[0, 2:, 2:, 0] = [[1, 2], [2, 2]]
    upstream = np.array([[1.0, 2.0], [3.0, 4.0]]).reshape(1, 2, 2, 1)
    case = {"input_shape": (6, 6, 1), "filters": 1, "dtype": child.offered(dtype)}
    (d,) = child(run, case, ("backward_stage", "pool", x, upstream))
    assert d["conv"][0, :, :, 0].tolist() == [[1, 0, 2, 0], [0, 0, 0, 0], [3, 0, 0, 4], [0, 0, 0, 0]]


def test_huge_logits_beside_small_ones(child):
    logits, labels = np.array([[1e4, -1e4, 0.0], [1.0, 2.0, 3.0]]), np.array([0, 2])
    loss, p = child(
        run, {"classes": 3, "dtype": child.offered()},
        ("forward_stage", "loss", logits, labels), ("forward_stage", "probabilities", logits),
    )  # fmt: skip
    rtol = {"float64": 1e-13, "float32": 1e-6}[child.offered()]
    # the second row: 1 / (e^-2 + e^-1 + 1) = 0.66524...; the first loses nothing
    np.testing.assert_allclose(
        p, [[1, 0, 0], [0.09003057317038046, 0.24472847105479767, 0.6652409557748219]], rtol=rtol
    )
    assert loss == pytest.approx(0.4076059644443803 / 2, rel=rtol)


@pytest.mark.parametrize("rate", [0.1, 0.003])
def test_twenty_steps_with_batches_that_change(child, rate):
    reference, parameters, *_ = problem(SMALL)
    batches = [problem(SMALL, n, seed)[2:] for seed, n in enumerate([4, 4, 3, 1, 4] * 4)]
    steps = [("step", *batch, rate) for batch in batches]
    _, *losses, found = child(
        run, SMALL | {"dtype": child.offered()}, ("set_parameters", parameters), *steps, ("get_parameters",)
    )
    assert all(type(loss) is float for loss in losses)
    np.testing.assert_allclose(losses, [reference.step(*batch, rate) for batch in batches], **CLOSE[child.offered()])
    assert_close(found, reference.get_parameters(), child.offered())


def test_float32_stays_float32(child):
    _, _, images, labels = problem(SMALL)
    *results, p = child(run, SMALL, ("activations", images, labels), ("gradients", images, labels), ("predict", images))
    assert all(value.dtype == np.float32 for result in results for value in result.values()) and p.dtype == np.float32


@pytest.mark.parametrize("shape", [(3, 9, 7, 3), (1, 9, 7, 3), (1, 9, 7, 1)], ids=str)
def test_any_memory_layout_does_and_nothing_is_written(child, shape):
    rng = np.random.default_rng(0)
    images, labels = rng.standard_normal(shape), rng.integers(0, 4, shape[0])
    upstream = rng.standard_normal((shape[0], 7, 5, 2))
    case = {"input_shape": shape[1:], "filters": 2, "classes": 4, "dtype": child.offered()}
    results, kept = child(awkward, case, images, labels, upstream)
    assert all(kept)
    for result in results[1:]:
        for name, value in result.items():
            np.testing.assert_allclose(value, results[0][name], rtol=1e-12, atol=1e-14, err_msg=name)


def test_arrays_handed_out_are_the_callers(child):
    _, parameters, images, labels = problem(SMALL)
    first, second = child(independent, SMALL, parameters, images, labels)
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_save_and_load_are_exact(child, tmp_path):
    path = tmp_path / f"a{child.suffix}"
    for dtype in ("float32", child.offered()):
        (parameters, _) = child(run, {"dtype": dtype, "seed": 1}, ("get_parameters",), ("save", path))
        _, found = child(run, {"dtype": dtype, "seed": 2}, ("load", path), ("get_parameters",))
        assert all(found[name].tobytes() == parameters[name].tobytes() for name in parameters)
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(FileNotFoundError):
        child(run, {}, ("load", tmp_path / f"nowhere{child.suffix}"))


X, Y = np.zeros((2, 28, 28, 1), np.float32), np.array([0, 9])
WRONG = {
    "empty": (("predict", X[:0]), "images: found float32 of shape (0, 28, 28, 1)"),
    "axes": (("predict", X[..., 0]), "images: found float32 of shape (2, 28, 28)"),
    "pixels": (("predict", X.astype(np.uint8)), "images: found uint8"),
    "labels": (("step", X, Y[:1], 0.1), "labels: found int64 (1,)"),
    "one-hot": (("gradients", X, np.eye(10)[Y]), "labels: found float64 (2, 10)"),
    "range": (("activations", X, Y + 1), "labels: found 1 .. 10, wanted 0 .. 9"),
    "negative": (("activations", X, Y - 1), "labels: found -1 .. 8, wanted 0 .. 9"),
    "rate": (("step", X, Y, float("nan")), "learning_rate: found nan"),
    "stage": (("forward_stage", "dense", X), "stage: found 'dense'"),
    "backward": (("backward_stage", "probabilities", X, X), "stage: found 'probabilities'"),
    "no labels": (("forward_stage", "loss", np.zeros((2, 10))), "labels: found object ()"),
    "upstream": (("backward_stage", "conv", X, X), "upstream: found float32 of shape (2, 28, 28, 1)"),
    "names": (("set_parameters", {"bias": X}), "parameters: found ['bias']"),
    "parameter": (
        ("set_parameters", {"conv_weight": X, "dense_weight": X, "dense_bias": X}),
        "conv_weight: found shape",
    ),
}


@pytest.mark.parametrize(("call", "message"), WRONG.values(), ids=WRONG)
def test_wrong_input_is_named(child, call, message):
    with pytest.raises(ValueError) as caught:
        child(run, {}, call)
    assert str(caught.value).startswith(message) and "wanted" in str(caught.value)


@pytest.mark.parametrize(
    "argument",
    [
        {"input_shape": (3, 9, 1)},
        {"input_shape": 28},
        {"filters": 0},
        {"classes": 2.5},
        {"padding": 1},
        {"dtype": "int8"},
    ],
    ids=str,
)
def test_wrong_arguments_are_named(child, argument):
    with pytest.raises(ValueError, match=f"{next(iter(argument))}: found .* wanted"):
        child(run, argument)
