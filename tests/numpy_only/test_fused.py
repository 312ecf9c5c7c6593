"""`Fused` against the layers, its ties by hand, and what its reused buffers must never show."""

import tracemalloc

import numpy as np
import pytest

from numpy_cnn.fused import CHUNK_BYTES, KEPT, Fused
from numpy_cnn.layers import Layers

# H, W, C, F, K, N
SHAPES = [
    (28, 28, 1, 8, 10, 5),
    (9, 7, 3, 5, 4, 3),  # odd
    (8, 11, 2, 3, 2, 4),  # one of each
    (11, 6, 1, 1, 3, 1),  # one image, one filter
    (4, 5, 2, 2, 1, 2),  # one pooled output, one class
]
RTOL = {np.float32: 2e-5, np.float64: 1e-12}


def pair(shape=(9, 7, 3), filters=5, classes=4, padding="valid", dtype=np.float64, seed=3):
    arguments = shape, filters, classes, padding, dtype, seed
    return Fused(*arguments), Layers(*arguments)


def batch(n, shape=(9, 7, 3), classes=4, dtype=np.float64, seed=0):
    """Normal numbers, one image flat, so that all of its windows tie."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, *shape)).astype(dtype)
    if n > 1:
        x[1] = 0.5
    return x, rng.integers(0, classes, n)


def agree(found, wanted, dtype):
    assert list(found) == list(wanted)
    for name, value in wanted.items():
        assert found[name].shape == value.shape and found[name].dtype == value.dtype == dtype, name
        scale = max(1.0, float(np.abs(value).max()))
        np.testing.assert_allclose(found[name], value, rtol=0, atol=RTOL[dtype] * scale, err_msg=name)


def check_all(fused, layers, x, labels, dtype):
    activations = layers.activations(x, labels)
    agree(fused.activations(x, labels), activations, dtype)
    agree(fused.gradients(x, labels), layers.gradients(x, labels), dtype)
    agree({"y": fused.logits(x)}, {"y": activations["logits"]}, dtype)
    agree({"y": fused.predict(x)}, {"y": activations["probabilities"]}, dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(("h", "w", "c", "f", "k", "n"), SHAPES)
def test_everything_agrees_with_the_layers(h, w, c, f, k, n, padding, dtype):
    fused, layers = pair((h, w, c), f, k, padding, dtype)
    x, labels = batch(n, (h, w, c), k, dtype)
    check_all(fused, layers, x, labels, dtype)
    for _ in range(3):
        assert fused.step(x, labels, 0.1) == pytest.approx(layers.step(x, labels, 0.1), rel=RTOL[dtype], abs=1e-7)
    agree(fused.get_parameters(), layers.get_parameters(), dtype)
    check_all(fused, layers, x, labels, dtype)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(("h", "w", "c", "f", "k", "n"), SHAPES)
def test_each_stage_alone_agrees_with_the_layers(h, w, c, f, k, n, padding):
    fused, layers = pair((h, w, c), f, k, padding)
    rng = np.random.default_rng(1)
    x, labels = batch(n, (h, w, c), k)
    for stage in ("conv", "pool", "logits", "probabilities", "loss"):
        y = layers.forward_stage(stage, x, labels)
        agree({stage: fused.forward_stage(stage, x, labels)}, {stage: np.asarray(y)}, np.float64)
        if stage != "probabilities":
            upstream = rng.standard_normal(y.shape)
            wanted = layers.backward_stage(stage, x, upstream, labels)
            agree(fused.backward_stage(stage, x, upstream, labels), wanted, np.float64)
        x = rng.integers(-2, 3, layers.forward_stage(stage, x, labels).shape).astype(float)  # many ties
        if stage in ("logits", "probabilities"):
            x = 10 * rng.standard_normal((n, k))


@pytest.mark.parametrize("stage", ["flatten", "", "probabilities"])
def test_an_unknown_stage_is_named(stage):
    fused, _ = pair()
    with pytest.raises(ValueError, match=f"stage: found '{stage}', wanted conv, pool, logits"):
        fused.backward_stage(stage, *batch(2))


def test_a_batch_of_several_chunks_agrees_and_other_sizes_before_it_change_nothing():
    fused, layers = pair(padding="same")
    fused._most = 4
    x, labels = batch(11)
    first = fused.gradients(x, labels)
    check_all(fused, layers, x, labels, np.float64)
    for n in range(1, KEPT + 4):
        fused.predict(100 * x[:n])
    again = fused.gradients(x, labels)
    assert all(first[name].tobytes() == again[name].tobytes() for name in first)
    assert len(fused._chunks) <= KEPT


def test_the_same_seed_gives_the_same_bits():
    x, labels = batch(7, dtype=np.float32)
    results = []
    for extra in (0, 5):
        fused = pair(dtype=np.float32)[0]
        if extra:
            fused.predict(x[:extra])
        losses = [fused.step(x, labels, 0.1) for _ in range(3)]
        results.append((losses, fused.get_parameters()["dense_weight"].tobytes()))
    assert results[0] == results[1]


@pytest.mark.parametrize(
    ("window", "winner"),
    [
        ([[1, 1], [1, 1]], (0, 0)),
        ([[0, 1], [1, 1]], (0, 1)),
        ([[0, 1], [1, 0]], (0, 1)),
        ([[0, 0], [1, 1]], (1, 0)),
        ([[0, 0], [0, 1]], (1, 1)),
        ([[1, 0], [0, 1]], (0, 0)),
        ([[-1, -2], [-1, -1]], (0, 0)),
        ([[0.0, -0.0], [-0.0, 0.0]], (0, 0)),
        ([[-0.0, 0.0], [0.0, 0.0]], (0, 0)),
    ],
)
def test_a_tie_goes_to_the_first_maximum_in_row_order(window, winner):
    fused = Fused((4, 4, 1), 1, 2, dtype=np.float64)
    conv = np.array(window, float).reshape(1, 2, 2, 1)
    d_conv = fused.backward_stage("pool", conv, np.full((1, 1, 1, 1), 3.0))["conv"]
    wanted = np.zeros((2, 2))
    wanted[winner] = 3
    assert d_conv[0, :, :, 0].tolist() == wanted.tolist()


def test_filter_gradient_of_a_tie_by_hand():
    # the filter picks its middle pixel, so conv is the image's middle, 5 5 / 5 5: only the top left 3x3 pixels count
    fused = Fused((4, 4, 1), 1, 2, dtype=np.float64)
    image = np.array([[1.0, 2, 3, 4], [6, 5, 5, 7], [8, 5, 5, 9], [10, 11, 12, 13]])
    picks = np.zeros((3, 3, 1, 1))
    picks[1, 1] = 1
    weights = {"conv_weight": picks, "dense_weight": np.array([[2.0, 0.0]]), "dense_bias": np.array([-10.0, 0.0])}
    fused.set_parameters(weights)
    # logits 5 * 2 - 10 = 0 and 0, so both probabilities are 1/2; d_pool = (1/2 - 1) * 2 = -1
    found = fused.gradients(image[None, :, :, None], np.array([0]))
    assert found["pool"].tolist() == [[[[-1.0]]]]
    assert found["conv_weight"][:, :, 0, 0].tolist() == (-image[:3, :3]).tolist()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_start_values_and_parameters_are_those_of_the_layers_to_the_bit(dtype):
    fused, layers = pair(dtype=dtype, seed=11)
    for name, value in layers.get_parameters().items():
        assert fused.get_parameters()[name].tobytes() == value.tobytes()
    rng = np.random.default_rng(2)
    given = {name: rng.standard_normal(v.shape).astype(dtype) for name, v in fused.get_parameters().items()}
    fused.set_parameters(given)
    assert all(fused.get_parameters()[name].tobytes() == value.tobytes() for name, value in given.items())
    with pytest.raises(ValueError, match="parameters: found"):
        fused.set_parameters({})


def test_memory_order_of_the_images_does_not_matter_and_they_are_only_read():
    x, labels = batch(6)
    wanted = pair()[0].gradients(x, labels)
    backwards = x[::-1, ::-1, ::-1, ::-1].copy()[::-1, ::-1, ::-1, ::-1]
    spaced = np.zeros((6, 18, 7, 6))[:, ::2, :, 1::2]
    spaced[...] = x
    for same in (np.asfortranarray(x), x.transpose(3, 1, 0, 2).copy().transpose(2, 1, 3, 0), backwards, spaced):
        assert np.array_equal(same, x)
        same.flags.writeable = False
        fused = pair()[0]
        found = fused.gradients(same, labels)
        assert all(found[name].tobytes() == wanted[name].tobytes() for name in wanted)
        fused.step(same, labels, 0.1)
        fused.predict(same)
        fused.forward_stage("conv", same)
        assert np.array_equal(same, x)


@pytest.mark.parametrize(("shape", "filters", "classes"), [((9, 7, 3), 5, 4), ((4, 4, 1), 1, 1)])
def test_what_is_returned_is_never_a_buffer(shape, filters, classes):
    fused, _ = pair(shape, filters, classes)
    x, labels = batch(3, shape, classes)
    other, other_labels = batch(3, shape, classes, seed=9)

    def everything(x, labels):
        found = fused.activations(x, labels) | {f"d_{k}": v for k, v in fused.gradients(x, labels).items()}
        found |= fused.get_parameters() | {"y": fused.logits(x), "p": fused.predict(x)}
        for stage, name in (("conv", None), ("pool", "conv"), ("logits", "pool"), ("probabilities", "logits")):
            found[f"stage {stage}"] = fused.forward_stage(stage, found[name] if name else x, labels)
        for stage, x_name, y_name in (("conv", None, "conv"), ("pool", "conv", "pool"), ("logits", "pool", "logits")):
            given = found[x_name] if x_name else x
            for key, value in fused.backward_stage(stage, given, found[y_name]).items():
                found[f"stage {stage} {key}"] = value
        return found

    kept = everything(x, labels)
    copies = {name: np.array(value) for name, value in kept.items()}
    fused.step(other, other_labels, 1.0)
    everything(other, other_labels)
    assert all(np.array_equal(kept[name], copies[name]) for name in kept)
    parameters = fused.get_parameters()
    for value in parameters.values():
        value[...] = 7
    assert not any((value == 7).all() for value in fused.get_parameters().values())


def test_buffers_do_not_grow_with_the_batch():
    fused = Fused((12, 12, 1), 8)
    x, labels = np.zeros((20_000, 12, 12, 1), np.float32), np.zeros(20_000, np.int64)
    assert 2 * fused._most < 5_000  # several chunks either way
    peaks = []
    tracemalloc.start()
    try:
        for n in (5_001, 20_000):  # each in chunks of two sizes
            fused._chunks.clear()
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            fused.step(x[:n], labels[:n], 0.1)
            assert fused.predict(x[:n]).shape == (n, 10)
            peaks.append(tracemalloc.get_traced_memory()[1] - before)
    finally:
        tracemalloc.stop()
    results = 2 * 15_000 * 10 * 4  # the pieces and the whole of the 15,000 probabilities more
    assert peaks[1] < 1.1 * peaks[0] + results
    assert peaks[0] < 8 * CHUNK_BYTES


def test_a_smaller_last_batch_makes_no_new_buffers():
    fused, _ = pair()
    x, labels = batch(10)
    seen = []
    for _ in range(4):
        for n in (10, 3):
            fused.step(x[:n], labels[:n], 0.1)
            seen.append(fused._chunks[n])
    assert len(set(seen)) == 2


def test_huge_logits_beside_small_ones_stay_finite():
    fused, layers = pair((4, 4, 1), 1, 3)
    logits = np.array([[1e4, 0, -1e4], [1, 2, 3]])
    labels = np.array([2, 0])
    assert fused.forward_stage("loss", logits, labels) == pytest.approx(layers.forward_stage("loss", logits, labels))
    assert np.isfinite(fused.forward_stage("probabilities", logits)).all()
