"""What only Keras's adapter and model have, in the process of Keras; `test_adapters` holds what they must have."""

import os
import subprocess
import sys
import warnings

import numpy as np
import pytest
from adapters import SMALL, run
from test_hostile_files import NETWORK, bad_h5

import compare
from compare import output
from compare.verdict import run as run_module


@pytest.fixture
def child(keras_child):
    """Calls a function of this file in the process of Keras."""
    return keras_child


# what runs in the other process


def refused_files(directory):
    """Messages of files that do not fit, and whether the adapter stayed as it was."""
    import h5py
    import keras

    from keras_cnn import build
    from keras_cnn.adapter import Adapter

    adapter = Adapter(seed=1)
    before = adapter.get_parameters()
    other = Adapter(seed=2)
    other.save(directory / "good.weights.h5")
    data = (directory / "good.weights.h5").read_bytes()
    altered = bytearray(data)
    altered[data.index(other.get_parameters()["dense_weight"].tobytes())] ^= 1
    files = {"empty": b"", "cut": data[:-100], "cut short": data[: len(data) // 2], "altered": altered, "text": b"no"}
    for name, content in files.items():
        (directory / f"{name}.weights.h5").write_bytes(content)
    keras.config.set_dtype_policy("float64")
    build().save_weights(directory / "double.weights.h5")
    keras.config.set_dtype_policy("float32")
    build(filters=3).save_weights(directory / "shapes.weights.h5")
    for name in ("key gone", "nan"):
        path = directory / f"{name}.weights.h5"
        build().save_weights(path)
        with h5py.File(path, "r+") as file:
            if name == "nan":
                file["layers/dense/vars/1"][0] = np.nan
            else:
                del file["layers/dense/vars/1"]
    messages = {}
    for name in (*files, "double", "shapes", "key gone", "nan"):
        path = directory / f"{name}.weights.h5"
        try:
            adapter.load(path)
            messages[name] = "accepted"
        except ValueError as error:
            messages[name] = str(error).removeprefix(str(path))
    unchanged = all(np.array_equal(value, before[name]) for name, value in adapter.get_parameters().items())
    return messages, unchanged


def between_keras_and_adapter(directory):
    """Parameters of a plain model and of the adapter that loaded its file, and the other way round."""
    from keras_cnn import build
    from keras_cnn.adapter import Adapter

    plain, adapter, again = build(seed=1), Adapter(seed=2), build(seed=3)
    plain.train_on_batch(np.ones((1, 28, 28, 1)), np.ones(1))
    plain.save_weights(directory / "plain.weights.h5")
    adapter.load(directory / "plain.weights.h5")
    adapter.save(directory / "adapter.weights.h5")
    again.load_weights(directory / "adapter.weights.h5")
    return plain.get_weights(), list(adapter.get_parameters().values()), again.get_weights()


def traces():
    """Shapes of the images each time that Keras traced the model anew, over batches of several sizes."""
    from keras_cnn.adapter import Adapter

    adapter, seen = Adapter(SMALL["input_shape"]), []
    call = adapter.model.call
    adapter.model.call = lambda *args, **kwargs: (seen.append(args[0].shape), call(*args, **kwargs))[1]
    for n in (32, 32, 7, 32, 1, 5, 32, 7):
        adapter.step(np.zeros((n, *SMALL["input_shape"])), np.zeros(n, int), 0.1)
    return [tuple(shape) for shape in seen]


def settings_of_the_user():
    """Keras's global settings after an Adapter where images are channels first by default; the shape of its outputs."""
    import keras

    from keras_cnn.adapter import Adapter

    keras.config.set_image_data_format("channels_first")
    try:
        adapter = Adapter(**SMALL, dtype="float64")
        after = keras.config.floatx(), keras.config.dtype_policy().name, keras.config.image_data_format()
        return after, adapter.predict(np.zeros((2, *SMALL["input_shape"]))).shape
    finally:
        keras.config.set_image_data_format("channels_last")


def backend_error():
    """The message of an Adapter where Keras runs on NumPy, in a process of its own."""
    command = "from keras_cnn.adapter import Adapter; Adapter()"
    environment = os.environ | {"KERAS_BACKEND": "numpy", "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run([sys.executable, "-c", command], env=environment, capture_output=True, text=True).stderr


def fit(dtype):
    """Losses of the epochs of `fit` on bright-or-dark images, and of `evaluate` afterwards."""
    import keras

    from keras_cnn import build

    keras.config.set_floatx(dtype)
    keras.config.set_dtype_policy(dtype)
    try:
        images = np.random.default_rng(0).standard_normal((64, 6, 6, 1)) + np.array([-1, 1] * 32)[:, None, None, None]
        model = build((6, 6, 1), 2, 2, seed=0)
        losses = model.fit(images, np.array([0, 1] * 32), epochs=5, batch_size=8, verbose=0).history["loss"]
        return losses, model.evaluate(images, np.array([0, 1] * 32), verbose=0, return_dict=True)
    finally:
        keras.config.set_floatx("float32")
        keras.config.set_dtype_policy("float32")


# the tests


def test_a_file_that_does_not_fit_changes_nothing(child, tmp_path):
    messages, unchanged = child(refused_files, tmp_path)
    assert unchanged
    assert all(message.startswith(": found") for message in messages.values()), messages
    assert "(3, 3, 1, 3)" in messages["shapes"] and "(3, 3, 1, 8)" in messages["shapes"]
    with pytest.raises(ValueError, match="wanted .weights.h5"):
        child(run, {}, ("save", tmp_path / "weights.h5"))


def test_files_are_those_of_keras_itself(child, tmp_path):
    first, *others = child(between_keras_and_adapter, tmp_path)
    for other in others:
        assert [value.tobytes() for value in other] == [value.tobytes() for value in first]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_fit_learns(child, dtype):
    losses, evaluation = child(fit, dtype)
    assert losses[-1] < 0.5 * losses[0]
    assert evaluation["loss"] < losses[0] and evaluation["accuracy"] > 0.9


def test_settings_are_the_users(child):
    assert child(settings_of_the_user) == (("float32", "float32", "channels_first"), (2, 4))


def test_another_batch_size_costs_one_more_trace(child):
    assert child(traces) == [(32, 9, 7, 3), (None, 9, 7, 3)]


def test_another_backend_is_refused(child):
    assert "RuntimeError: Keras backend: found 'numpy', wanted one of tensorflow, jax, torch" in child(backend_error)


@pytest.fixture(scope="module")
def other_backends():
    return compare.parity("keras-jax,keras-torch", "sample", few=True, path=False)


@pytest.mark.thorough
def test_other_backends_agree_and_are_what_they_are_called(other_backends):
    assert set(run_module.passed(other_backends)) == {"keras-jax", "keras-torch"}
    told = other_backends.attrs["environment"]
    assert told["keras_backends"] == {"keras-jax": "jax", "keras-torch": "torch"}
    assert set(told["implementations"]) == {"keras-jax", "keras-torch"}
    counts = other_backends.groupby(["implementation", "dtype"])["outcome"].agg(
        lambda outcome: (outcome == "agrees").sum()
    )
    assert counts["keras-jax", "float32"] == counts["keras-jax", "float64"] == counts["keras-torch", "float32"] > 60


@pytest.mark.thorough
def test_what_keras_on_torch_does_not_offer_says_why(other_backends):
    """Once Keras multiplies float64 in float64, `keras_cnn.on_torch` offers it by itself, and this is to be removed."""
    lacking = other_backends[other_backends["outcome"] == "not offered"]
    assert set(lacking["implementation"]) == {"keras-torch"} and set(lacking["dtype"]) == {"float64"}
    assert lacking["note"].str.contains("multiplies matrices of float64 in float32, https://").all()
    assert any("not offered (no float64: Keras" in line for line in output.verdict(other_backends))


def test_a_backend_of_the_users_own_does_not_change_which_one_runs(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    listed = compare.implementations("keras-tensorflow")
    assert listed["available"].all()


def test_h5_files_that_are_not_what_they_should_be(tmp_path, keras_child):
    paths = [path for what, path in bad_h5(tmp_path) if what in ("pieces of gigabytes", "deep groups")]
    messages, sealed, unsealed, crashed, hung = keras_child(h5_messages, tmp_path, paths)
    for path, message in messages.items():
        assert message.startswith(f"{path}: found no intact weights of such a model: ")
        assert "\n" not in message and len(message) < 1500
    assert sealed == [] and len(unsealed) == 1 and "found no checksum in it" in unsealed[0]
    assert "HDF5 fell over it: exit code" in crashed
    assert "HDF5 came to no end with it within 0.1 s" in hung


def h5_messages(folder, paths):
    """What is said of files by path; of one with a checksum and of one without; of a crash, and of a hang."""
    from types import SimpleNamespace

    from keras_cnn import layout
    from keras_cnn.adapter import Adapter

    adapter = Adapter(**NETWORK)

    def message(path):
        try:
            adapter.load(path)
        except ValueError as error:
            return str(error)
        return "accepted"

    messages = {str(path): message(path) for path in paths}
    warned = []
    for name in ("sealed", "unsealed"):
        path = folder / f"{name}.weights.h5"
        adapter.save(path) if name == "sealed" else adapter.model.save_weights(path)
        with warnings.catch_warnings(record=True) as noticed:
            warnings.simplefilter("always")
            adapter.load(path)
        warned.append([str(each.message) for each in noticed])
    real, seconds = layout.sys, layout.SECONDS
    try:
        layout.sys = SimpleNamespace(executable="/bin/false")
        crashed = message(path)
        endless = folder / "endless"
        endless.write_text("#!/bin/sh\nexec sleep 60\n")
        endless.chmod(0o755)
        layout.sys, layout.SECONDS = SimpleNamespace(executable=str(endless)), 0.1
        hung = message(path)
    finally:
        layout.sys, layout.SECONDS = real, seconds
    return messages, *warned, crashed, hung
