import math
import tracemalloc

import numpy as np
import pytest

from numpy_cnn import CNN


def small(padding="valid", dtype=np.float64, shape=(7, 6, 3), way="fused"):
    """A small network with weights that all matter, two images of distinct channels, and their labels."""
    rng = np.random.default_rng(5)
    model = CNN(shape, filters=3, classes=4, padding=padding, dtype=dtype, way=way)
    parameters = {name: rng.standard_normal(value.shape) for name, value in model.get_parameters().items()}
    model.set_parameters(parameters)
    images = (rng.uniform(-0.5, 0.5, (2, *shape)) * np.arange(1, shape[2] + 1)).astype(dtype)
    return model, images, np.array([3, 1])


def toy(count=200):
    """Images that a network can learn: a bright square at one of four places."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, count)
    images = rng.integers(0, 60, (count, 12, 12), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        row, column = divmod(int(label), 2)
        image[6 * row + 1 : 6 * row + 5, 6 * column + 1 : 6 * column + 5] += 150
    return images, labels


def test_stages_of_one_digit():
    stages = CNN().activations(np.zeros((1, 28, 28), np.uint8), [3])
    assert {name: value.shape for name, value in stages.items()} == {
        "conv": (1, 26, 26, 8),
        "pool": (1, 13, 13, 8),
        "logits": (1, 10),
        "probabilities": (1, 10),
        "loss": (),
    }


def test_start_values():
    parameters = CNN(seed=1).get_parameters()
    assert parameters["conv_weight"].std() == pytest.approx(1 / 9, rel=0.25)
    assert parameters["dense_weight"].std() == pytest.approx(1 / 1352, rel=0.02)
    assert not parameters["dense_bias"].any()


def test_an_untrained_network_is_at_chance():
    images = np.random.default_rng(0).integers(0, 256, (100, 28, 28), dtype=np.uint8)
    assert CNN().evaluate(images, np.arange(100) % 10).loss == pytest.approx(math.log(10), abs=0.05)


@pytest.mark.parametrize("way", ["layers", "fused"])
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("name", ["conv_weight", "dense_weight", "dense_bias", "images"])
def test_gradients_are_the_finite_differences(padding, name, way):
    """Central differences; their own error is about h^2 plus rounding / h, hence h = 1e-5 and 1e-8 of tolerance."""
    model, images, labels = small(padding, way=way)
    gradient = model.gradients(images, labels)[name]
    start = images if name == "images" else model.get_parameters()[name]
    h = 1e-5
    for index in np.ndindex(start.shape):
        losses = []
        for sign in (1, -1):
            moved = start.copy()
            moved[index] += sign * h
            if name == "images":
                losses.append(model.activations(moved, labels)["loss"])
            else:
                other, _, _ = small(padding, way=way)
                other.set_parameters({**model.get_parameters(), name: moved})
                losses.append(other.activations(images, labels)["loss"])
        assert gradient[index] == pytest.approx((losses[0] - losses[1]) / (2 * h), abs=1e-8), index


@pytest.mark.parametrize("way", ["loops", "layers", "fused"])
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_inner_gradients_are_the_finite_differences_of_what_follows(padding, way):
    """Gradients of conv, pool and logits: the rest of the network alone, on a random direction each."""
    model, images, labels = small(padding, way=way)
    stages, gradients = model.activations(images, labels), model.gradients(images, labels)
    rng = np.random.default_rng(1)

    def loss_from(stage, value):
        for name in ("conv", "pool", "logits")[("conv", "pool", "logits").index(stage) + 1 :]:
            value = model.network.forward_stage(name, value)
        return model.network.forward_stage("loss", value, labels)

    for stage in ("conv", "pool", "logits"):
        direction = rng.standard_normal(stages[stage].shape)
        h = 1e-6
        ahead, behind = (loss_from(stage, stages[stage] + sign * h * direction) for sign in (1, -1))
        assert (gradients[stage] * direction).sum() == pytest.approx((ahead - behind) / (2 * h), rel=1e-6)


def test_a_stage_alone_agrees_with_the_whole():
    model, images, labels = small(way="layers")
    network = model.network
    stages, gradients = model.activations(images, labels), model.gradients(images, labels)
    assert (network.forward_stage("conv", images) == stages["conv"]).all()
    assert (network.forward_stage("probabilities", stages["logits"]) == stages["probabilities"]).all()
    assert (network.backward_stage("loss", stages["logits"], 1.0, labels)["logits"] == gradients["logits"]).all()
    back = network.backward_stage("logits", stages["pool"], gradients["logits"])
    assert (back["dense_weight"] == gradients["dense_weight"]).all()
    assert (network.backward_stage("pool", stages["conv"], back["pool"])["conv"] == gradients["conv"]).all()
    with pytest.raises(ValueError, match="stage: found 'relu'"):
        network.forward_stage("relu", images)


@pytest.mark.parametrize("way", ["loops", "layers", "fused"])
def test_a_step_is_the_gradient_times_the_rate(way):
    model, images, labels = small(way=way)
    before, gradients = model.get_parameters(), model.gradients(images, labels)
    wanted = float(model.activations(images, labels)["loss"])
    assert model.step(images, labels, 0.25) == pytest.approx(wanted, rel=1e-14)
    for name, value in model.get_parameters().items():
        assert value == pytest.approx(before[name] - 0.25 * gradients[name], rel=1e-13, abs=1e-15)


@pytest.mark.parametrize("way", ["loops", "layers", "fused"])
def test_each_way_does_all_that_a_network_does(way, tmp_path):
    images, labels = np.random.default_rng(0).integers(0, 256, (9, 6, 5), np.uint8), np.arange(9) % 3
    model = CNN((6, 5, 1), 2, 3, dtype=np.float64, way=way)
    history = model.fit(images, labels, 2, 4, validation=(images, labels), progress=False)
    assert set(history) == {"loss", "seconds", "validation_loss", "validation_accuracy"}
    assert model.evaluate(images, labels) == (history["validation_loss"][1], history["validation_accuracy"][1])
    wanted = model.activations(images, labels)
    assert model.predict(images) == pytest.approx(wanted["probabilities"], rel=1e-14)
    assert model.evaluate(images, labels).loss == pytest.approx(wanted["loss"], rel=1e-14)
    assert model.step(images, labels, 0.1) == pytest.approx(wanted["loss"], rel=1e-14)
    model.save(tmp_path / "a.npz")
    again = CNN.load(tmp_path / "a.npz", way=way)
    assert (again.predict(images) == model.predict(images)).all()
    assert again.summary() == model.summary()


def test_three_ways_start_alike_and_agree():
    ways = [small(way=way) for way in ("loops", "layers", "fused")]
    starts = [CNN(seed=9, way=way).get_parameters() for way in ("loops", "layers", "fused")]
    for name in starts[0]:
        assert all((start[name] == starts[0][name]).all() for start in starts)
    found = [model.gradients(images, labels) for model, images, labels in ways]
    for name, value in found[0].items():
        assert all(other[name] == pytest.approx(value, rel=1e-11, abs=1e-13) for other in found[1:]), name
    with pytest.raises(ValueError, match="way: found 'slow', wanted one of fused, layers, loops"):
        CNN(way="slow")


def test_parameters_that_come_out_are_copies():
    model, images, labels = small()
    out = model.get_parameters()
    model.step(images, labels, 0.5)
    again = small()[0].get_parameters()
    assert all((out[name] == again[name]).all() for name in out)
    model.set_parameters(out)
    out["dense_bias"] += 1
    assert (model.get_parameters()["dense_bias"] == again["dense_bias"]).all()


@pytest.mark.parametrize("way", ["fused", "layers", "loops"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dtype_all_the_way(dtype, way):
    model, images, labels = small(dtype=dtype, way=way)
    results = [*model.activations(images, labels).values(), *model.gradients(images, labels).values()]
    model.step(images, labels, 0.1)
    results += [*model.get_parameters().values(), model.predict(images)]
    assert {np.asarray(value).dtype for value in results} == {np.dtype(dtype)}


def test_it_learns_and_says_how():
    images, labels = toy()
    model = CNN((12, 12, 1), 4, 4, seed=1)
    history = model.fit(images, labels, epochs=5, batch_size=16, learning_rate=0.2, validation=(images, labels))
    assert set(history) == {"loss", "seconds", "validation_loss", "validation_accuracy"}
    assert all(len(values) == 5 for values in history.values())
    assert history["loss"][-1] < 0.5 * history["loss"][0]
    assert history["validation_accuracy"][-1] == model.evaluate(images, labels).accuracy > 0.95
    assert (model.predict(images).argmax(axis=1) == labels).mean() == model.evaluate(images, labels).accuracy


def test_the_same_seed_gives_the_same_bits():
    images, labels = toy(50)
    first, second = CNN((12, 12, 1), 4, 4, seed=3), CNN((12, 12, 1), 4, 4, seed=3)
    assert first.fit(images, labels, 2, seed=7)["loss"] == second.fit(images, labels, 2, seed=7)["loss"]
    assert all((a == b).all() for a, b in zip(*(m.get_parameters().values() for m in (first, second)), strict=True))


def test_memory_of_predict_and_evaluate_does_not_grow_with_the_images():
    model = CNN()
    peaks = []
    for count in (512, 4096):
        images, labels = np.zeros((count, 28, 28), np.uint8), np.zeros(count, int)
        tracemalloc.start()
        model.predict(images)
        model.evaluate(images, labels)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    results = 2 * 4 * 10 * 4096 + 2 * 8 * 4096  # the probabilities and their parts, the labels as int64
    assert peaks[1] < peaks[0] * 1.05 + results


def test_inputs_of_any_layout_in_memory_are_read_and_never_changed():
    model, images, labels = small()
    wanted = model.gradients(images, labels)
    for variant in (np.asfortranarray(images), images[:, ::-1][:, ::-1], np.repeat(images, 2, axis=2)[:, :, ::2]):
        variant.flags.writeable = False
        found = model.gradients(variant, labels)
        assert all((found[name] == wanted[name]).all() for name in wanted)


def test_summary_names_stages_shapes_and_weights():
    text = CNN().summary()
    for part in ("(26, 26, 8)", "(13, 13, 8)", "72", "13,530", "13,602"):
        assert part in text


def batch(**changes):
    return {"images": np.zeros((2, 28, 28), np.uint8), "labels": np.array([0, 9]), **changes}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": np.zeros((2, 28, 27), np.uint8)}, r"images: found shape \(2, 28, 27, 1\), wanted \(N, 28, 28, 1\)"),
        ({"images": np.zeros((28, 28), np.uint8)}, r"images: found shape \(28, 28\)"),
        ({"images": np.zeros((2, 28, 28), int)}, "images: found dtype int64, wanted uint8"),
        ({"images": np.zeros((2, 28, 28), complex)}, "images: found dtype complex128"),
        ({"images": np.full((2, 28, 28), np.nan)}, "images: found NaN or infinity in image 0"),
        ({"images": np.array([np.zeros((28, 28)), np.full((28, 28), np.inf)])}, "NaN or infinity in image 1"),
        ({"images": np.full((2, 28, 28), 1e300)}, "images: found NaN or infinity in image 0, .* in float32"),
        ({"images": np.zeros((0, 28, 28), np.uint8), "labels": np.zeros(0, int)}, "images: found none"),
        ({"labels": np.array([0, 10])}, r"labels: found 10 at index 1, wanted whole numbers 0\.\.9"),
        ({"labels": np.array([-1, 3])}, "labels: found -1 at index 0"),
        ({"labels": np.array([0, 2.5])}, "labels: found 2.5 at index 1"),
        ({"labels": np.array([np.nan, 2])}, "labels: found nan at index 0"),
        ({"labels": np.array(["a", "b"])}, "labels: found dtype <U1"),
        ({"labels": np.array([1])}, r"labels: found shape \(1,\), wanted \(2,\)"),
        ({"labels": np.eye(10)[:2]}, r"one-hot rows take \.argmax"),
        ({"epochs": 0}, "epochs: found 0"),
        ({"batch_size": -3}, "batch_size: found -3"),
        ({"learning_rate": math.nan}, "learning_rate: found nan"),
        ({"learning_rate": 0}, "learning_rate: found 0"),
        ({"learning_rate": 1e300}, "learning_rate: found 1e.300, wanted a finite number above 0 in float32"),
        ({"learning_rate": 1e-300}, "learning_rate: found 1e-300, wanted a finite number above 0 in float32"),
        ({"learning_rate": "fast"}, "learning_rate: found 'fast'"),
        ({"validation": (np.zeros((2, 28, 28)), [1, 11])}, "labels: found 11 at index 1"),
        ({"validation": (np.full((2, 28, 28), np.nan), [1, 2])}, "images: found NaN or infinity in image 0"),
        ({"validation": ([],)}, "validation: found 1 parts, wanted"),
    ],
)
def test_bad_input_to_fit_changes_nothing(changes, message):
    model = CNN()
    before = model.get_parameters()
    with pytest.raises(ValueError, match=message):
        model.fit(**batch(**changes))
    assert all((value == before[name]).all() for name, value in model.get_parameters().items())


@pytest.mark.parametrize("way", ["loops", "layers", "fused"])
@pytest.mark.parametrize("method", ["step", "activations", "gradients", "predict", "evaluate"])
@pytest.mark.parametrize("value", [np.nan, -np.inf, 1e39])
def test_an_image_that_is_not_finite_is_refused_by_every_method(way, method, value):
    """One NaN in a batch would be in all weights after a step; 1e39 is infinity in float32."""
    model = CNN((6, 5, 1), 2, 3, way=way)
    before = model.get_parameters()
    images = np.zeros((3, 6, 5))
    images[2, 5, 4] = value
    more = {"step": ([0, 1, 2], 0.1), "predict": ()}.get(method, ([0, 1, 2],))
    with pytest.raises(ValueError, match="images: found NaN or infinity in image 2, wanted finite numbers in float32"):
        getattr(model, method)(images, *more)
    assert all((value == before[name]).all() for name, value in model.get_parameters().items())


@pytest.mark.parametrize("shape", [(3, 28, 1), (28, 3, 1), (28, 28, 0), (28, 28), (28, 28.5, 1), "image"])
def test_bad_input_shape(shape):
    with pytest.raises(ValueError, match="input_shape: found"):
        CNN(shape)


def test_smallest_images():
    assert CNN((3, 3, 1), padding="same").predict(np.zeros((1, 3, 3))).shape == (1, 10)
    assert CNN((4, 4, 1)).predict(np.zeros((1, 4, 4))).shape == (1, 10)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dense_bias": np.zeros(9)}, r"dense_bias: found shape \(9,\), wanted \(10,\)"),
        ({"dense_bias": np.zeros(10, int)}, "dense_bias: found dtype int64"),
        ({"dense_bias": np.full(10, np.nan)}, "dense_bias: found NaN"),
        ({"dense_bias": np.full(10, 1e300)}, "dense_bias: found NaN or infinity, wanted finite numbers in float32"),
        ({"conv_bias": np.zeros(8)}, "parameters: found"),
    ],
)
def test_bad_parameters_change_nothing(change, message):
    model = CNN()
    before = model.get_parameters()
    with pytest.raises(ValueError, match=message):
        model.set_parameters({**before, "conv_weight": before["conv_weight"] + 1, **change})
    assert (model.get_parameters()["conv_weight"] == before["conv_weight"]).all()
