import math

import numpy as np
import pytest

from numpy_cnn import CNN, loops
from numpy_cnn.layers import Layers
from numpy_cnn.loops import Conv3x3, MaxPool2, Softmax
from numpy_cnn.one_by_one import Loops

IMAGE = np.array([[0, 50, 0, 29], [0, 80, 31, 2], [33, 90, 0, 75], [0, 9, 0, 95]])
VERTICAL_SOBEL = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
# Two correct ways may differ by the rounding of a sum of some hundred terms of about 1: some units in the last place.
CLOSE = {np.float32: 1e-5, np.float64: 1e-14}


def sobel(padding="valid"):
    conv = Conv3x3(1, padding=padding, dtype=np.float64)
    conv.weight = VERTICAL_SOBEL[:, :, None, None].astype(np.float64)
    return conv


def pooled(x):
    pool = MaxPool2()
    return pool, pool.forward(np.asarray(x, float)[..., None])[..., 0]


# the layers, one image


def test_the_shapes_of_the_article():
    image = np.random.default_rng(0).uniform(-0.5, 0.5, (28, 28))
    conv = Conv3x3(8).forward(image)
    assert conv.shape == (26, 26, 8)
    pool = MaxPool2().forward(conv)
    assert pool.shape == (13, 13, 8)
    probabilities = Softmax(13 * 13 * 8, 10).forward(pool)
    assert probabilities.shape == (10,)
    assert probabilities.sum() == pytest.approx(1, abs=1e-6)


def test_regions_of_a_4x4_image_come_in_row_order():
    regions = list(Conv3x3(1).iterate_regions(IMAGE))
    assert [(row, column) for _, row, column in regions] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert regions[1][0].tolist() == [[50, 0, 29], [80, 31, 2], [90, 0, 75]]
    assert len(list(Conv3x3(1, padding="same").iterate_regions(IMAGE))) == 16
    assert [region.tolist() for region, _, _ in MaxPool2().iterate_regions(IMAGE)][1] == [[0, 29], [31, 2]]


def test_vertical_sobel_by_hand():
    # top left: -0 + 0 - 2*0 + 2*31 - 33 + 0 = 29
    assert sobel().forward(IMAGE)[:, :, 0].tolist() == [[29, -192], [-35, -22]]


def test_same_padding_keeps_the_size_and_holds_the_valid_result_inside():
    y = sobel("same").forward(IMAGE)[:, :, 0]
    assert y.shape == (4, 4)
    assert y[1:3, 1:3].tolist() == [[29, -192], [-35, -22]]
    # top left, zeros above and left: 50*2 + 80*1 = 180
    assert y[0, 0] == 180


def test_conv_backward_by_hand():
    conv = sobel()
    conv.forward(IMAGE)
    dx = conv.backward(np.array([[1.0, 0], [0, 2]])[:, :, None])
    assert conv.d_weight[:, :, 0, 0].tolist() == (IMAGE[:3, :3] + 2 * IMAGE[1:, 1:]).tolist()
    # the region at the top left, its dy 1, and the one at the bottom right, its dy 2, overlap in the middle
    assert dx.tolist() == [[-1, 0, 1, 0], [-2, -2, 2, 2], [-1, -4, 1, 4], [0, -2, 0, 2]]


def test_same_padding_gives_the_border_of_zeros_no_part_in_the_gradient():
    conv = sobel("same")
    conv.forward(IMAGE)
    dy = np.zeros((4, 4, 1))
    dy[0, 0] = 3
    # of the region around the top left pixel only the lower right quarter lies in the image
    assert conv.backward(dy).tolist() == [[0, 6, 0, 0], [0, 3, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert conv.d_weight[:, :, 0, 0].tolist() == [[0, 0, 0], [0, 0, 150], [0, 0, 240]]


def test_the_gradient_of_the_image_comes_on_request_in_the_shape_of_the_image():
    conv = Conv3x3(2)
    dy = np.ones_like(conv.forward(IMAGE))
    assert conv.backward(dy, need_dx=False) is None
    without = conv.d_weight
    assert conv.backward(dy).shape == (4, 4)
    assert (conv.d_weight == without).all()
    conv.forward(IMAGE[..., None])
    assert conv.backward(dy).shape == (4, 4, 1)


def test_channels_are_summed_each_with_weights_of_its_own():
    conv = Conv3x3(1, 2, dtype=np.float64)
    conv.weight = np.concatenate([VERTICAL_SOBEL[:, :, None], np.ones((3, 3, 1))], axis=2)[..., None]
    assert conv.forward(np.stack([IMAGE, IMAGE], axis=2))[0, 0, 0] == 29 + 284  # 284: the sum of the first region


def test_maximum_by_hand():
    assert pooled(IMAGE)[1].tolist() == [[80, 31], [90, 95]]


def test_gradient_goes_to_the_maximum():
    pool, _ = pooled(IMAGE)
    dx = pool.backward(np.array([[7.0, 5], [3, 2]])[..., None])[..., 0]
    assert dx.tolist() == [[0, 0, 0, 0], [0, 7, 5, 0], [0, 3, 0, 0], [0, 0, 0, 2]]


@pytest.mark.parametrize(
    ("window", "first"),
    [([[1, 1], [1, 1]], (0, 0)), ([[0, 1], [1, 1]], (0, 1)), ([[0, 0], [2, 2]], (1, 0)), ([[0, 3], [3, 0]], (0, 1))],
)
def test_a_tie_goes_to_the_first_in_row_order(window, first):
    pool, _ = pooled(window)
    dx = pool.backward(np.full((1, 1, 1), 5.0))[..., 0]
    assert dx[first] == 5
    assert dx.sum() == 5


def test_an_odd_row_and_column_are_dropped_and_get_no_gradient():
    pool, y = pooled(np.arange(15).reshape(3, 5))
    assert y.tolist() == [[6, 8]]
    assert np.argwhere(pool.backward(np.ones((1, 2, 1)))).tolist() == [[1, 1, 0], [1, 3, 0]]


def test_filters_are_pooled_apart():
    x = np.zeros((2, 2, 2))
    x[0, 1, 0], x[1, 0, 1] = 3, 4
    pool = MaxPool2()
    assert pool.forward(x).ravel().tolist() == [3, 4]
    dx = pool.backward(np.array([10.0, 20]).reshape(1, 1, 2))
    assert [dx[0, 1].tolist(), dx[1, 0].tolist(), dx.sum()] == [[10, 0], [0, 20], 30]


def test_dense_layer_by_hand():
    layer = Softmax(2, 2, dtype=np.float64)
    layer.weight, layer.bias = np.array([[1.0, 2], [3, 4]]), np.array([10.0, 20])
    assert layer.logits([5, 6]).tolist() == [5 + 18 + 10, 10 + 24 + 20]
    assert layer.backward([1, -1]).tolist() == [1 - 2, 3 - 4]
    assert layer.d_weight.tolist() == [[5, -5], [6, -6]]
    assert layer.d_bias.tolist() == [1, -1]


def test_softmax_and_loss_by_hand():
    logits = np.array([0, math.log(3)])
    assert loops.softmax(logits).tolist() == pytest.approx([0.25, 0.75], rel=1e-15)
    assert loops.cross_entropy(logits, 0) == pytest.approx(math.log(4), rel=1e-15)
    assert loops.cross_entropy_backward(logits, 0).tolist() == pytest.approx([-0.75, 0.75], rel=1e-15)


def test_large_logits_neither_overflow_nor_take_the_logarithm_of_zero():
    logits = np.array([1e4, 0, -1e4], np.float32)
    assert loops.softmax(logits).tolist() == [1, 0, 0]
    assert [float(loops.cross_entropy(logits, label)) for label in range(3)] == [0, 1e4, 2e4]


def test_backward_from_the_label_is_backward_from_the_gradient_of_its_loss():
    x = np.random.default_rng(1).standard_normal((2, 3, 2))
    layer = Softmax(12, 4, np.float64)
    dx = layer.backward(loops.cross_entropy_backward(layer.logits(x), 2))
    by_logits = layer.d_weight
    layer.forward(x)
    assert (layer.backward_from_label(2) == dx).all()
    assert dx.shape == x.shape
    assert (layer.d_weight == by_logits).all()


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (Conv3x3(1), (4,), r"Conv3x3: image has shape \(4,\), wanted \(H, W, 1\) with H, W >= 3"),
        (Conv3x3(1), (2, 4), r"Conv3x3: image has shape \(2, 4\)"),
        (Conv3x3(1), (4, 4, 2), r"Conv3x3: image has shape \(4, 4, 2\)"),
        (Conv3x3(1, 3), (4, 4), r"wanted \(H, W, 3\)"),
        (Conv3x3(1), (1, 4, 4, 1), r"Conv3x3: image has shape \(1, 4, 4, 1\)"),
        (MaxPool2(), (4, 4), r"MaxPool2: x has shape \(4, 4\), wanted \(H, W, F\)"),
        (MaxPool2(), (1, 4, 1), "MaxPool2: x has shape"),
        (Softmax(12), (11,), r"Softmax: x has shape \(11,\), wanted 12 values"),
    ],
)
def test_bad_input_shape(layer, shape, message):
    with pytest.raises(ValueError, match=message):
        layer.forward(np.zeros(shape))


@pytest.mark.parametrize(
    ("layer", "x", "wanted"),
    [
        (Conv3x3(2), (5, 4), (3, 2, 2)),
        (Conv3x3(2, padding="same"), (5, 4), (5, 4, 2)),
        (MaxPool2(), (5, 4, 2), (2, 2, 2)),
        (Softmax(12, 3), (12,), (3,)),
    ],
)
def test_backward_needs_a_forward_and_the_shape_of_the_output(layer, x, wanted):
    with pytest.raises(RuntimeError, match="backward before any forward"):
        layer.backward(np.zeros(wanted))
    assert layer.forward(np.zeros(x)).shape == wanted
    with pytest.raises(ValueError, match=r"has shape \(9,\), wanted"):
        layer.backward(np.zeros(9))


def test_backward_from_a_label_needs_a_forward_too():
    with pytest.raises(RuntimeError, match="Softmax: backward before any forward"):
        Softmax(3, 2).backward_from_label(0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Conv3x3(0), "filters: found 0"),
        (lambda: Conv3x3(1, -1), "channels: found -1"),
        (lambda: Conv3x3(1, padding="full"), "padding: found 'full'"),
        (lambda: Conv3x3(1, dtype="int8"), "dtype: found int8"),
        (lambda: Softmax(0), "inputs: found 0"),
        (lambda: Softmax(1, 0), "classes: found 0"),
        (lambda: Loops((3, 4, 1)), "input_shape: found"),
        (lambda: Loops(filters=0), "filters: found 0"),
    ],
)
def test_bad_settings(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# the network, a batch


def test_it_starts_where_the_layer_files_start():
    for seed in (0, 7):
        ours, theirs = (model((6, 7, 2), 3, 4, seed=seed).get_parameters() for model in (Loops, Layers))
        assert list(ours) == list(theirs)
        assert all(ours[name].tobytes() == theirs[name].tobytes() for name in theirs)


GEOMETRIES = [
    ((7, 10, 3), 3, 4, "valid"),
    ((5, 4, 3), 2, 3, "same"),
    ((9, 6, 1), 4, 10, "same"),
    ((4, 5, 2), 1, 2, "valid"),
    ((3, 3, 1), 2, 2, "same"),
    ((8, 11, 3), 1, 5, "valid"),
]


def pair(shape, filters, classes, padding, dtype, count=3, seed=0):
    """Loops and Layers with the same weights that all matter, and a batch with flat regions in which windows tie."""
    rng = np.random.default_rng(seed)
    both = [model(shape, filters, classes, padding, dtype) for model in (Loops, Layers)]
    drawn = {name: rng.integers(-8, 9, value.shape) / 8 for name, value in both[0].get_parameters().items()}
    for model in both:
        model.set_parameters(drawn)
    # multiples of 1/8: sums of their products are exact in either dtype, so that ties are ties in any order of sums
    images = (rng.integers(-4, 5, (count, *shape)) / 8).astype(dtype)
    images[:, :, : shape[1] // 2] = 0.25
    return *both, images, rng.integers(0, classes, count)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("shape", "filters", "classes", "padding"), GEOMETRIES)
def test_loops_and_layer_files_are_the_same_network(shape, filters, classes, padding, dtype):
    ours, theirs, images, labels = pair(shape, filters, classes, padding, dtype)
    for method in ("activations", "gradients"):
        found, wanted = (getattr(model, method)(images, labels) for model in (ours, theirs))
        assert set(found) == set(wanted)
        for name in wanted:
            assert np.asarray(found[name]).dtype == dtype
            np.testing.assert_allclose(found[name], wanted[name], CLOSE[dtype], CLOSE[dtype], strict=True)
            if name in ("conv", "pool") and method == "activations":
                assert (found[name] == wanted[name]).all()
    np.testing.assert_array_equal(ours.predict(images), ours.activations(images, labels)["probabilities"])
    losses = [model.step(images, labels, 0.1) for model in (ours, theirs)]
    assert losses[0] == pytest.approx(losses[1], rel=CLOSE[dtype])
    for name, value in ours.get_parameters().items():
        np.testing.assert_allclose(value, theirs.get_parameters()[name], CLOSE[dtype], CLOSE[dtype], strict=True)


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_each_stage_alone_agrees_with_the_layer_files(padding):
    ours, theirs, images, labels = pair((6, 7, 2), 3, 4, padding, np.float64)
    rng = np.random.default_rng(1)
    stages = theirs.activations(images, labels)
    below = {"conv": images, "pool": stages["conv"], "logits": stages["pool"], "probabilities": stages["logits"]}
    below["loss"] = stages["logits"]
    for stage, x in below.items():
        found = ours.forward_stage(stage, x, labels)
        np.testing.assert_allclose(found, stages[stage], 1e-14, 1e-14, strict=True)
        if stage == "probabilities":
            continue
        upstream = rng.standard_normal(np.shape(found))
        given, wanted = (model.backward_stage(stage, x, upstream, labels) for model in (ours, theirs))
        assert set(given) == set(wanted)
        for name in wanted:
            np.testing.assert_allclose(given[name], wanted[name], 1e-14, 1e-14, strict=True)
    with pytest.raises(ValueError, match="stage: found 'relu'"):
        ours.forward_stage("relu", images)


def test_one_image_and_several_give_the_mean_of_the_gradients():
    ours, _, images, labels = pair((5, 6, 2), 2, 3, "valid", np.float64)
    whole = ours.gradients(images, labels)
    each = [ours.gradients(images[i : i + 1], labels[i : i + 1]) for i in range(3)]
    for name in ("conv_weight", "dense_weight", "dense_bias"):
        np.testing.assert_allclose(whole[name], np.mean([one[name] for one in each], axis=0), 1e-14, 1e-14)
    np.testing.assert_allclose(whole["images"], np.concatenate([one["images"] for one in each]) / 3, 1e-14, 1e-14)


def test_pixels_and_images_without_a_channel_are_taken_as_the_layer_files_take_them():
    pixels = np.random.default_rng(0).integers(0, 256, (2, 6, 5), dtype=np.uint8)
    ours, theirs = Loops((6, 5, 1), 2, 3), CNN((6, 5, 1), 2, 3, way="layers")
    np.testing.assert_allclose(ours.predict(pixels), theirs.predict(pixels), 1e-6)
    np.testing.assert_allclose(ours.predict(pixels[..., None]), theirs.predict(pixels), 1e-6)


def test_parameters_that_come_out_are_copies_and_gradients_change_nothing():
    ours, _, images, labels = pair((5, 6, 2), 2, 3, "valid", np.float32)
    out = ours.get_parameters()
    first = ours.gradients(images, labels)
    kept = {name: value.copy() for name, value in first.items()}
    ours.step(images, labels, 0.5)
    assert all((first[name] == kept[name]).all() for name in kept)
    assert not (ours.get_parameters()["conv_weight"] == out["conv_weight"]).all()
    ours.set_parameters(out)
    assert all((ours.gradients(images, labels)[name] == kept[name]).all() for name in kept)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda model, x, y: model.step(x, y, 0), "learning_rate: found 0"),
        (lambda model, x, y: model.step(x[:, 1:], y, 1), r"images: found shape \(3, 4, 6, 2\), wanted \(N, 5, 6, 2\)"),
        (lambda model, x, y: model.gradients(x, y[:2]), r"labels: found shape \(2,\), wanted \(3,\)"),
        (lambda model, x, y: model.activations(x, y + 3), "labels: found"),
        (lambda model, x, y: model.predict(x * np.nan), "images: found NaN or infinity in image 0"),
        (lambda model, x, y: model.set_parameters({"conv_weight": x}), "parameters: found"),
    ],
)
def test_bad_input_is_named(call, message):
    ours, _, images, labels = pair((5, 6, 2), 2, 3, "valid", np.float32)
    with pytest.raises(ValueError, match=message):
        call(ours, images, labels)


def test_two_images_can_be_told_apart_after_some_steps():
    ours = Loops((6, 6, 1), 2, 2)
    images = np.zeros((2, 6, 6, 1), np.float32)
    images[0, :3], images[1, 3:] = 0.5, 0.5
    losses = [ours.step(images, [0, 1], 0.5) for _ in range(20)]
    assert losses[-1] < 0.5 * losses[0]
    assert ours.predict(images).argmax(axis=1).tolist() == [0, 1]
