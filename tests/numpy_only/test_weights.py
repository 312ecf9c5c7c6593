import io
import os
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from numpy_cnn import CNN, load_weights, save_weights


def random_model(dtype=np.float64):
    model = CNN((7, 6, 2), 3, 4, "same", dtype)
    rng = np.random.default_rng(2)
    parameters = {name: rng.standard_normal(value.shape) for name, value in model.get_parameters().items()}
    parameters["dense_bias"][:2] = -0.0, np.finfo(dtype).smallest_subnormal
    model.set_parameters(parameters)
    return model


def npz(path, **members):
    np.savez(path, **{**random_model().get_parameters(), **members})
    return path


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_was_saved_is_loaded_to_the_bit(tmp_path, dtype):
    model = random_model(dtype)
    model.save(tmp_path / "a.npz")
    again = CNN.load(tmp_path / "a.npz")
    assert (again.input_shape, again.padding, again.dtype) == ((7, 6, 2), "same", dtype)
    for name, value in model.get_parameters().items():
        assert again.get_parameters()[name].tobytes() == value.tobytes()
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_a_file_with_parameters_alone_needs_the_geometry(tmp_path):
    path = npz(tmp_path / "a.npz")
    with pytest.raises(ValueError, match="found no geometry in the file"):
        CNN.load(path)
    assert CNN.load(path, (7, 6, 2), "same").padding == "same"
    with pytest.raises(ValueError, match=r"a\.npz: dense_weight: found shape"):
        CNN.load(path, (9, 6, 2), "same")


def test_compressed_files_are_read(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", **random_model().get_parameters())
    assert load_weights(tmp_path / "a.npz")[1] == {}


def repacked(path, change):
    """The members of a good file written again, each passed through `change(name, bytes)`."""
    npz(path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, change(name, content))
    return path


def header(shape, descr="<f8"):
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": descr, "fortran_order": False, "shape": shape})
    return buffer.getvalue()


def is_bias(change):
    return lambda name, content: change(content) if name == "dense_bias.npy" else content


def damaged(tmp_path):
    """(what, path) of files that must not be read."""
    good = npz(tmp_path / "good.npz").read_bytes()

    def raw(name, content):
        path = tmp_path / f"{name}.npz"
        path.write_bytes(content)
        return path

    middle = bytearray(good)
    middle[len(good) // 2] ^= 1
    yield "empty", raw("empty", b"")
    yield "truncated", raw("truncated", good[:-30])
    yield "half", raw("half", good[: len(good) // 2])
    yield "bytes behind", raw("behind", good + b"x" * 40)
    yield "one bit", raw("bit", bytes(middle))
    yield "text", raw("text", b"not a zip file at all, but long enough to hold one")
    yield "object array", repacked(tmp_path / "o.npz", is_bias(lambda c: header((4,), "|O") + b"x" * 32))
    yield "terabytes declared", repacked(tmp_path / "t.npz", is_bias(lambda c: header((1 << 40,)) + c[-32:]))
    yield "a member too long", repacked(tmp_path / "l.npz", is_bias(lambda c: c + b"x"))
    yield "a member too short", repacked(tmp_path / "s.npz", is_bias(lambda c: c[:-1]))
    yield "no header", repacked(tmp_path / "n.npz", is_bias(lambda c: b"not an array"))
    yield "integers", npz(tmp_path / "i.npz", dense_bias=np.zeros(4, int))
    yield "half precision", npz(tmp_path / "h.npz", dense_bias=np.zeros(4, np.float16))
    yield "NaN", npz(tmp_path / "nan.npz", dense_bias=np.full(4, np.nan))
    yield "an array more", npz(tmp_path / "m.npz", conv_bias=np.zeros(3))
    yield "wrong classes", npz(tmp_path / "k.npz", dense_bias=np.zeros(5))
    yield "5x5 filters", npz(tmp_path / "f.npz", conv_weight=np.zeros((5, 5, 2, 3)))
    yield "half a geometry", npz(tmp_path / "g.npz", padding=np.array("same"))
    yield "other geometry", npz(tmp_path / "w.npz", padding=np.array("valid"), input_shape=np.array([7, 6, 2]))
    yield "odd geometry", npz(tmp_path / "x.npz", padding=np.array("same"), input_shape=np.array([7, 6]))


def test_damaged_and_mislabelled_files_are_named_and_not_read(tmp_path):
    cases = list(damaged(tmp_path))
    assert len(cases) == 20
    for what, path in cases:
        with pytest.raises(ValueError) as caught:
            load_weights(path)
        assert str(caught.value).startswith(str(path)), what


def test_a_small_file_that_unpacks_to_gigabytes_is_refused_before_it_does(tmp_path):
    path = tmp_path / "bomb.npz"
    rows = 1 << 25  # times 4 classes times 8 bytes: 1 GiB, of zeros that deflate to a thousandth
    code = f"""
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
from numpy_cnn import load_weights
try:
    load_weights({str(path)!r})
except ValueError as error:
    print(error)
"""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, shape in {"conv_weight": (3, 3, 1, 1), "dense_bias": (4,)}.items():
            archive.writestr(f"{name}.npy", header(shape) + bytes(8 * int(np.prod(shape))))
        with archive.open("dense_weight.npy", "w") as member:
            member.write(header((rows, 4)))
            for _ in range(rows * 4 * 8 >> 20):
                member.write(bytes(1 << 20))
    assert path.stat().st_size < 8 << 20
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    )
    assert "bytes, wanted at most" in done.stdout, done.stderr


def test_nothing_is_left_when_a_file_cannot_be_written(tmp_path):
    model = random_model()
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OSError):
        model.save(tmp_path / "file" / "a.npz")
    with pytest.raises(OSError):
        model.save(tmp_path / "no folder" / "a.npz")
    with pytest.raises(ValueError, match=r"found ending '\.pkl', wanted \.npz or \.safetensors"):
        model.save(tmp_path / "a.pkl")
    with pytest.raises(ValueError, match="found NaN"):
        save_weights(tmp_path / "a.npz", {**model.get_parameters(), "dense_bias": np.full(4, np.inf)})
    with pytest.raises(FileNotFoundError):
        load_weights(tmp_path / "none.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_an_existing_file_survives_a_failed_save(tmp_path):
    model = random_model()
    path = tmp_path / "a.npz"
    model.save(path)
    before = path.read_bytes()
    with pytest.raises(ValueError):
        save_weights(path, {**model.get_parameters(), "dense_bias": np.zeros(3)})
    with pytest.raises(ValueError, match=r"a.npz: conv_weight: found dtype float16, wanted float32 or float64"):
        random_model(np.float16).save(path)
    assert path.read_bytes() == before
