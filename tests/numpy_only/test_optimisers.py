"""The optimisers of `numpy_cnn`: two steps each, which a reader can follow by hand; and `CNN.fit` with them."""

import numpy as np
import pytest

from numpy_cnn import CNN
from numpy_cnn.optimisers import OPTIMISERS, SGD, Adam, AdamW, Momentum, Nesterov, updates

# from parameter 1, gradients 0.5 and then -0.5, at rate 0.1
BY_HAND = {
    "sgd": (SGD(), [0.95, 1.0]),
    # velocity -0.05, then 0.9 * -0.05 + 0.05 = 0.005
    "momentum": (Momentum(0.9), [0.95, 0.955]),
    # 1 - 0.9 * 0.05 - 0.05 = 0.905, then 0.905 + 0.9 * 0.005 + 0.05
    "nesterov": (Nesterov(0.9), [0.905, 0.9595]),
    # m 0.25 / 0.5 = 0.5, v 0.0625 / 0.25 = 0.25, its root 0.5: 1 - 0.1 * 0.5 / 1
    # m (0.125 - 0.25) / 0.75 = -1/6, v (0.046875 + 0.0625) / 0.4375 = 0.25: 0.95 + 0.1 / 6
    "adam": (Adam(beta1=0.5, beta2=0.75, epsilon=0.5), [0.95, 0.95 + 0.1 / 6]),
    # as Adam, less 0.1 * 0.2 of the parameter: 0.95 - 0.02, then 0.93 + 0.1 / 6 - 0.0186
    "adamw": (AdamW(beta1=0.5, beta2=0.75, epsilon=0.5, weight_decay=0.2), [0.93, 0.9114 + 0.1 / 6]),
}
PIXELS = np.random.default_rng(0).integers(0, 256, (20, 6, 7), dtype=np.uint8)
LABELS = np.arange(20) % 3
SMALL = {"input_shape": (6, 7, 1), "filters": 2, "classes": 3}


def test_there_is_a_hand_made_case_for_each():
    assert set(BY_HAND) == set(OPTIMISERS)


@pytest.mark.parametrize(("optimiser", "wanted"), BY_HAND.values(), ids=BY_HAND)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_two_steps(optimiser, wanted, dtype):
    parameter, gradient = np.ones(3, dtype), np.full(3, 0.5, dtype)
    state = optimiser.start(parameter)
    first, state = optimiser.update(parameter, gradient, state, 0.1)
    second, _ = optimiser.update(first, -gradient, state, 0.1)
    assert first.dtype == second.dtype == dtype
    np.testing.assert_allclose([first, second], np.repeat(wanted, 3).reshape(2, 3), rtol=4 * np.finfo(dtype).eps)
    assert (parameter == 1).all() and (gradient == 0.5).all()


@pytest.mark.parametrize("name", OPTIMISERS)
def test_a_series_of_updates_is_these_updates(name):
    rng = np.random.default_rng(0)
    start, gradients, rates = rng.standard_normal(5), rng.standard_normal((4, 5)), [0.1, 0.1, 0.01, 0.01]
    found = updates(name, {}, start, gradients, rates)
    optimiser, parameter = OPTIMISERS[name](), start
    state = optimiser.start(start)
    for each, gradient, rate in zip(found, gradients, rates, strict=True):
        parameter, state = optimiser.update(parameter, gradient, state, rate)
        assert (each == parameter).all()


def parameters_after(way, **settings):
    model = CNN(**SMALL, dtype="float64", way=way)
    history = model.fit(PIXELS, LABELS, epochs=2, batch_size=6, learning_rate=0.02, progress=False, **settings)
    return history["loss"], model.get_parameters()


@pytest.mark.parametrize("optimiser", [optimiser for optimiser, _ in BY_HAND.values()], ids=BY_HAND)
def test_fit_updates_every_parameter_by_the_gradients(optimiser):
    model = CNN(**SMALL, dtype="float64")
    states: dict = {}
    for epoch in range(2):
        order = np.random.default_rng([0, epoch]).permutation(20)
        for first in range(0, 20, 6):
            batch = order[first : first + 6]
            gradients, held = model.gradients(PIXELS[batch], LABELS[batch]), model.get_parameters()
            for name, value in held.items():
                state = states[name] if name in states else optimiser.start(value)
                held[name], states[name] = optimiser.update(value, gradients[name], state, 0.02)
            model.set_parameters(held)
    for way in ("fused", "layers", "loops"):
        losses, found = parameters_after(way, optimizer=optimiser)
        assert len(losses) == 2
        for name, value in model.get_parameters().items():
            np.testing.assert_allclose(found[name], value, rtol=1e-10, atol=1e-13, err_msg=f"{way} {name}")


def test_plain_descent_is_what_it_was_to_the_bit():
    steps = CNN(**SMALL, seed=0)
    for epoch in range(2):
        order = np.random.default_rng([0, epoch]).permutation(20)
        for first in range(0, 20, 6):
            steps.step(PIXELS[order[first : first + 6]], LABELS[order[first : first + 6]], 0.1)
    for settings in ({}, {"optimizer": "sgd"}, {"optimizer": SGD()}):
        model = CNN(**SMALL, seed=0)
        model.fit(PIXELS, LABELS, epochs=2, batch_size=6, learning_rate=0.1, progress=False, **settings)
        for name, value in model.get_parameters().items():
            assert value.tobytes() == steps.get_parameters()[name].tobytes()


def test_float32_stays_float32_and_another_call_begins_anew():
    model = CNN(**SMALL)
    start = model.get_parameters()
    runs = []
    for _ in range(2):
        model.set_parameters(start)
        model.fit(PIXELS, LABELS, epochs=1, optimizer=(optimiser := Adam()), progress=False)
        runs.append(model.get_parameters())
    assert optimiser == Adam()
    assert all(value.dtype == np.float32 for value in runs[0].values())
    assert all(runs[0][name].tobytes() == runs[1][name].tobytes() for name in start)


@pytest.mark.parametrize("wrong", ["adams", None, Adam, 3])
def test_another_optimiser_is_named(wrong):
    with pytest.raises(ValueError, match="optimizer: found .*, wanted one of sgd, momentum, nesterov, adam, adamw"):
        CNN(**SMALL).fit(PIXELS, LABELS, optimizer=wrong)
