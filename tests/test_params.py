"""Weights go from any implementation or file to any other without a bit changed."""

import itertools

import numpy as np
import pytest

import compare
from compare import conversion, params
from numpy_cnn import CNN, load_weights, save_weights

GEOMETRY = {"input_shape": (7, 6, 2), "padding": "same"}
ENDINGS = (".npz", ".pt", ".weights.h5", ".safetensors")


def awkward(dtype):
    """Parameters with the numbers that a careless copy changes: -0.0, subnormals, the largest and the smallest."""
    parameters = CNN((7, 6, 2), 3, 4, "same", dtype, seed=3).get_parameters()
    info = np.finfo(dtype)
    parameters["dense_bias"][:] = -0.0, info.smallest_subnormal, info.max, info.eps
    parameters["conv_weight"][0, 0, 0] = info.tiny, -info.max, 1 / 3
    return parameters


@pytest.mark.parametrize("dtype", [pytest.param("float32", marks=pytest.mark.thorough), "float64"])
def test_from_any_file_to_any_other(tmp_path, dtype):
    """A round through all four kinds, each written and read: npz, PyTorch, Keras, safetensors, and back to npz."""
    wanted = awkward(dtype)
    describe = {**GEOMETRY, "filters": 3, "classes": 4, "dtype": dtype}
    files = [tmp_path / f"{number}{ending}" for number, ending in enumerate((*ENDINGS, ".npz"))]
    save_weights(files[0], wanted, **GEOMETRY)
    for source, target in itertools.pairwise(files):
        assert compare.convert(source, target, **describe) == describe
    found, geometry = load_weights(files[-1])
    assert geometry == GEOMETRY
    for name, value in wanted.items():
        assert found[name].dtype == dtype
        assert found[name].tobytes() == value.tobytes(), name
    assert len(list(tmp_path.iterdir())) == len(files)


def test_a_transposed_view_is_stored_as_it_reads(tmp_path):
    parameters = awkward("float32")
    columns = np.asfortranarray(parameters["dense_weight"])
    save_weights(tmp_path / "a.safetensors", {**parameters, "dense_weight": columns})
    assert (load_weights(tmp_path / "a.safetensors")[0]["dense_weight"] == columns).all()


def test_copy_parameters_between_implementations():
    source, target = CNN(seed=1), CNN(seed=2)
    params.copy_parameters(source, target)
    assert all((a == b).all() for a, b in zip(*(m.get_parameters().values() for m in (source, target)), strict=True))
    with pytest.raises(ValueError, match="conv_weight: found float32 that differs from the float64 copied"):
        params.copy_parameters(CNN(dtype="float64"), CNN(dtype="float32"))
    with pytest.raises(ValueError, match="conv_weight: found shape"):
        params.copy_parameters(CNN(filters=4), CNN())


def test_damaged_safetensors(tmp_path):
    path = tmp_path / "a.safetensors"
    save_weights(path, awkward("float32"), **GEOMETRY)
    good = path.read_bytes()
    for what, content in {
        "empty": b"",
        "truncated": good[:-5],
        "oversized": good + b"more",
        "mislabelled": b"PK\x03\x04" + good,
        "endless header": (1 << 62).to_bytes(8, "little") + good[8:],
        "half precision": good.replace(b'"F32"', b'"F16"'),
        "other name": good.replace(b"dense_bias", b"dense_bios"),
        "other padding": good.replace(b"same", b"none"),
        "other shape": good.replace(b"[4]", b"[5]"),
    }.items():
        path.write_bytes(content)
        with pytest.raises(ValueError) as caught:
            load_weights(path)
        assert str(caught.value).startswith(str(path)), what


@pytest.mark.parametrize("ending", [".pt", ".weights.h5"])
def test_damaged_framework_files_are_bad_input_and_leave_nothing(tmp_path, ending):
    bad = tmp_path / f"bad{ending}"
    bad.write_bytes(b"not weights")
    with pytest.raises(ValueError, match="bad"):
        compare.convert(bad, tmp_path / "out.npz")
    assert [path.name for path in tmp_path.iterdir()] == [bad.name]


def test_unknown_endings(tmp_path):
    with pytest.raises(ValueError, match=r"found ending '\.pkl', wanted one of \.npz"):
        conversion.convert(tmp_path / "a.pkl", tmp_path / "b.npz")


def test_start_parameters_are_the_same_numbers_in_both_dtypes():
    start = params.start_parameters(seed=4)
    for value in start.values():
        assert (value.astype(np.float32).astype(np.float64) == value).all()
    assert start["conv_weight"].shape == (3, 3, 1, 8)
    assert not start["dense_bias"].any()
