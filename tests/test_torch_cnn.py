"""The PyTorch adapter against `numpy_cnn` in float64. PyTorch itself runs in a process of its own."""

import importlib.util
import inspect
import multiprocessing
import warnings
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest

from compare.contract import BACKWARD, Implementation
from numpy_cnn import CNN

CASES = {
    "digits": {"input_shape": (28, 28, 1)},
    "odd, colours": {"input_shape": (9, 7, 3), "filters": 5, "classes": 4},
    "same": {"input_shape": (5, 8, 2), "filters": 3, "classes": 6, "padding": "same"},
    "same, odd": {"input_shape": (7, 9, 3), "filters": 2, "classes": 3, "padding": "same"},
    "smallest": {"input_shape": (4, 4, 1), "filters": 1, "classes": 2},
    "one class": {"input_shape": (3, 3, 1), "filters": 1, "classes": 1, "padding": "same"},
}
SMALL = CASES["odd, colours"]
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
both_dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])


# what runs in the other process


def run(arguments, *calls):
    """An Adapter, and the results of calls upon it, each (name, *arguments)."""
    from torch_cnn.adapter import Adapter

    adapter = Adapter(**arguments)
    return [getattr(adapter, name)(*rest) for name, *rest in calls]


def public_methods():
    """Names of the adapter's public methods, and of what each takes."""
    from torch_cnn.adapter import Adapter

    return {name: list(inspect.signature(f).parameters) for name, f in inspect.getmembers(Adapter, callable_by_name)}


def callable_by_name(member):
    return inspect.isfunction(member) and (member.__name__ == "__init__" or not member.__name__.startswith("_"))


def awkward(arguments, images, labels, upstream):
    """Results for plain arrays and for the same numbers laid out otherwise; whether all were left as they were."""
    from torch_cnn.adapter import Adapter

    def layouts(array):
        array.flags.writeable = False
        wide = np.repeat(array, 2, axis=-1)[..., ::2]
        backwards = [array[::-1].copy()[::-1], array[..., ::-1].copy()[..., ::-1]]
        return [array, np.asfortranarray(array), wide, *backwards, array.astype(array.dtype.newbyteorder())]

    results, kept = [], []
    for x, y, d in zip(layouts(images), layouts(labels), layouts(upstream), strict=True):
        before = x.tobytes(), y.tobytes(), d.tobytes()
        adapter = Adapter(**arguments)
        result = adapter.gradients(x, y) | {"d_" + k: v for k, v in adapter.backward_stage("conv", x, d).items()}
        result |= {"p": adapter.predict(x), "loss of step": adapter.step(x, y, 0.5)} | adapter.activations(x, y)
        results.append(result)
        kept.append(before == (x.tobytes(), y.tobytes(), d.tobytes()))
    return results, kept


def independent(arguments, parameters, images, labels):
    """Parameters before and after all that was handed out or in is overwritten by the caller."""
    from torch_cnn.adapter import Adapter

    adapter = Adapter(**arguments)
    adapter.set_parameters(parameters)
    first = adapter.get_parameters()
    out = (adapter.get_parameters(), adapter.activations(images, labels), adapter.gradients(images, labels), parameters)
    for array in (adapter.predict(images), *(value for arrays in out for value in arrays.values())):
        array[...] = 7
    return first, adapter.get_parameters()


def refused_files(directory):
    """Messages of files that do not fit, and whether the adapter stayed as it was."""
    import torch

    from torch_cnn.adapter import Adapter

    adapter = Adapter(seed=1)
    before = adapter.get_parameters()
    good = directory / "good.pt"
    Adapter(seed=2).save(good)
    data = bytearray(good.read_bytes())
    altered = data.copy()
    altered[len(data) // 2] ^= 1
    state = adapter.model.state_dict()
    files = {"empty": b"", "cut": data[:-100], "cut short": data[: len(data) // 2], "altered": altered, "text": b"no"}
    states = {
        "no state": [1, 2],
        "key gone": {name: value for name, value in state.items() if name != "dense.bias"},
        "nan": state | {"dense.bias": torch.full((10,), float("nan"))},
        "double": {name: value.double() for name, value in state.items()},
        "shapes": Adapter(filters=3).model.state_dict(),
    }
    messages = {}
    for name in files | states:
        path = directory / f"{name}.pt"
        torch.save(states[name], path) if name in states else path.write_bytes(files[name])
        try:
            adapter.load(path)
            messages[name] = "accepted"
        except ValueError as error:
            messages[name] = str(error).removeprefix(str(path))
    unchanged = all(np.array_equal(value, before[name]) for name, value in adapter.get_parameters().items())
    return messages, unchanged


def fit():
    """Mean loss of bright-or-dark images, before and after `fit`."""
    import torch
    import torch.nn.functional as F  # noqa: N812

    from torch_cnn.model import CNN, fit, scale

    labels = torch.tensor([0, 1] * 32)
    noise = torch.randint(0, 100, (64, 6, 6, 1), generator=torch.Generator().manual_seed(0))
    images = scale((noise + 100 * labels[:, None, None, None]).to(torch.uint8))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = CNN((6, 6, 1), 2, 2)
        before = F.cross_entropy(model(images), labels).item()
        fit(model, torch.optim.SGD(model.parameters(), lr=0.1), images, labels, epochs=5, batch_size=8)
        return before, F.cross_entropy(model(images), labels).item()


# the tests


@pytest.fixture(scope="module")
def child():
    """Calls a function of this file in another process, always the same one; warnings are errors there too."""
    if importlib.util.find_spec("torch") is None:
        pytest.skip("PyTorch is not installed")
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawn, initializer=warnings.simplefilter, initargs=("error",)) as pool:
        yield lambda function, *arguments: pool.submit(function, *arguments).result(timeout=300)


def problem(case, n=4, seed=0):
    """A float64 reference with random parameters, and a batch."""
    rng = np.random.default_rng(seed)
    reference = CNN(**case, dtype="float64", way="layers")
    parameters = {name: rng.standard_normal(shape) / 2 for name, shape in reference.shapes.items()}
    reference.set_parameters(parameters)
    images = rng.standard_normal((n, *reference.input_shape))
    return reference, parameters, images, rng.integers(0, reference.classes, n)


def assert_close(found, wanted):
    assert set(found) == set(wanted)
    for name in wanted:
        assert found[name].dtype == np.float64 and found[name].shape == wanted[name].shape, name
        np.testing.assert_allclose(found[name], wanted[name], rtol=1e-10, atol=1e-13, err_msg=name)


def test_the_contract_is_kept(child):
    wanted = {
        name: list(inspect.signature(f).parameters) for name, f in vars(Implementation).items() if inspect.isfunction(f)
    }
    wanted = {name: taken for name, taken in wanted.items() if name == "__init__" or name[0] != "_"}
    assert child(public_methods) == wanted | {"save": ["self", "path"], "load": ["self", "path"]}


@both_dtypes
def test_parameters_go_in_and_out_to_the_bit(child, dtype):
    rng = np.random.default_rng(3)
    parameters = {name: rng.standard_normal(shape).astype(dtype) for name, shape in CNN(**SMALL).shapes.items()}
    tiny = np.finfo(dtype).smallest_subnormal
    for value in parameters.values():
        value.flat[:4] = -0.0, tiny, -3 * tiny, np.finfo(dtype).max
    _, found = child(run, SMALL | {"dtype": dtype}, ("set_parameters", parameters), ("get_parameters",))
    for name, value in parameters.items():
        assert found[name].dtype == dtype and found[name].flags.c_contiguous
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
        run, case | {"dtype": "float64"}, *calls, ("predict", images), ("get_parameters",)
    )
    assert_close(activations, reference.activations(images, labels))
    assert_close(gradients, reference.gradients(images, labels))
    assert_close({"p": predicted}, {"p": reference.predict(images)})
    assert all(np.array_equal(kept[name], parameters[name]) for name in parameters)


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
            run, case | {"dtype": "float64"},
            ("set_parameters", parameters), ("forward_stage", *forward), ("backward_stage", *backward),
        )  # fmt: skip
        assert set(d) == set(BACKWARD[stage])
        assert_close({"y": y}, {"y": np.asarray(reference.network.forward_stage(*forward))})
        assert_close(d, reference.network.backward_stage(*backward))


@both_dtypes
def test_a_tie_goes_to_the_first_maximum(child, dtype):
    x = np.zeros((1, 4, 4, 1))
    x[0, 2:, 2:, 0] = [[1, 2], [2, 2]]
    upstream = np.array([[1.0, 2.0], [3.0, 4.0]]).reshape(1, 2, 2, 1)
    case = {"input_shape": (6, 6, 1), "filters": 1, "dtype": dtype}
    (d,) = child(run, case, ("backward_stage", "pool", x, upstream))
    assert d["conv"][0, :, :, 0].tolist() == [[1, 0, 2, 0], [0, 0, 0, 0], [3, 0, 0, 4], [0, 0, 0, 0]]


def test_huge_logits_beside_small_ones(child):
    logits, labels = np.array([[1e4, -1e4, 0.0], [1.0, 2.0, 3.0]]), np.array([0, 2])
    loss, p = child(
        run, {"classes": 3, "dtype": "float64"},
        ("forward_stage", "loss", logits, labels), ("forward_stage", "probabilities", logits),
    )  # fmt: skip
    # the second row: 1 / (e^-2 + e^-1 + 1) = 0.66524...; the first loses nothing
    np.testing.assert_allclose(
        p, [[1, 0, 0], [0.09003057317038046, 0.24472847105479767, 0.6652409557748219]], rtol=1e-13
    )
    assert loss == pytest.approx(0.4076059644443803 / 2, rel=1e-13)


@pytest.mark.parametrize("rate", [0.1, 0.003])
def test_twenty_steps_with_batches_that_change(child, rate):
    reference, parameters, *_ = problem(SMALL)
    batches = [problem(SMALL, n, seed)[2:] for seed, n in enumerate([4, 4, 3, 1, 4] * 4)]
    steps = [("step", *batch, rate) for batch in batches]
    _, *losses, found = child(
        run, SMALL | {"dtype": "float64"}, ("set_parameters", parameters), *steps, ("get_parameters",)
    )
    assert all(type(loss) is float for loss in losses)
    np.testing.assert_allclose(losses, [reference.step(*batch, rate) for batch in batches], rtol=1e-10)
    assert_close(found, reference.get_parameters())


def test_float32_stays_float32(child):
    _, _, images, labels = problem(SMALL)
    *results, p = child(run, SMALL, ("activations", images, labels), ("gradients", images, labels), ("predict", images))
    assert all(value.dtype == np.float32 for result in results for value in result.values()) and p.dtype == np.float32


@pytest.mark.parametrize("shape", [(3, 9, 7, 3), (1, 9, 7, 3), (1, 9, 7, 1)], ids=str)
def test_any_memory_layout_does_and_nothing_is_written(child, shape):
    rng = np.random.default_rng(0)
    images, labels = rng.standard_normal(shape), rng.integers(0, 4, shape[0])
    upstream = rng.standard_normal((shape[0], 7, 5, 2))
    case = {"input_shape": shape[1:], "filters": 2, "classes": 4, "dtype": "float64"}
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
    path = tmp_path / "weights.pt"
    for dtype in ("float32", "float64"):
        (parameters, _) = child(run, {"dtype": dtype, "seed": 1}, ("get_parameters",), ("save", path))
        _, found = child(run, {"dtype": dtype, "seed": 2}, ("load", path), ("get_parameters",))
        assert all(found[name].tobytes() == parameters[name].tobytes() for name in parameters)
    assert [file.name for file in tmp_path.iterdir()] == ["weights.pt"]


def test_fit_learns(child):
    before, after = child(fit)
    assert after < 0.5 * before


def test_a_file_that_does_not_fit_changes_nothing(child, tmp_path):
    messages, unchanged = child(refused_files, tmp_path)
    assert unchanged
    assert all(message.startswith(": found") for message in messages.values()), messages
    assert "(3, 1, 3, 3)" in messages["shapes"] and "(8, 1, 3, 3)" in messages["shapes"]
    with pytest.raises(FileNotFoundError):
        child(run, {}, ("load", tmp_path / "nowhere.pt"))


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
