"""Files that came from somewhere else: no changed number is let in, no file takes memory or time that it is not worth.

Every damaged file is one line that begins with its path.
"""

import gzip
import hashlib
import io
import os
import random
import re
import struct
import subprocess
import sys
import time
import tracemalloc
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from test_cli import run

import compare
from compare.images import data, idx
from numpy_cnn import CNN, load_weights, save_weights

ROOT = Path(__file__).resolve().parent.parent
GEOMETRY = {"input_shape": (7, 6, 2), "padding": "same"}
NETWORK = {"input_shape": (7, 6, 2), "filters": 3, "classes": 4, "padding": "same"}
MOST = 50 << 20  # bytes that reading a small file may take


def parameters(dtype="float32"):
    return CNN((7, 6, 2), 3, 4, "same", dtype, seed=3).get_parameters()


def npz(path, packing=zipfile.ZIP_STORED, **members):
    """A zip file of members given as bytes, or as arrays; those of a right file where nothing is given."""
    given = {**parameters(), "input_shape": np.array((7, 6, 2)), "padding": np.array("same"), **members}
    with zipfile.ZipFile(path, "w", packing) as archive:
        for name, value in given.items():
            archive.writestr(f"{name}.npy", value if isinstance(value, bytes) else npy(value))
    return path


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def header(text, version=1):
    size = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes((version, 0)) + size + text.encode()


def refused(call, path):
    """The message of a call that must refuse the file at once, in one bounded line that begins with its path."""
    tracemalloc.start()
    begin = time.monotonic()
    try:
        with pytest.raises(ValueError) as caught:
            call(path)
        assert tracemalloc.get_traced_memory()[1] < MOST
    finally:
        tracemalloc.stop()
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert message.count("\n") == 0 and message.isprintable() and len(message) < 1500 + len(str(path))
    assert time.monotonic() - begin < 10
    return message.removeprefix(f"{path}: ")


# --- numbers that were changed


def mutants(content, seed, count):
    """`count` copies with one to three bits, bytes or pieces changed, and which they are."""
    draw = random.Random(seed)
    for number in range(count):
        changed = bytearray(content)
        for _ in range(draw.choice((1, 1, 2, 3))):
            at = draw.randrange(len(changed))
            kind = draw.randrange(4)
            if kind < 2:
                changed[at] ^= 1 << draw.randrange(8)
            elif kind == 2:
                changed[at] = draw.randrange(256)
            else:
                piece = slice(at, at + draw.randrange(1, 40))
                changed[piece] = draw.randbytes(len(changed[piece])) if draw.randrange(2) else b""
                changed = changed or bytearray(b"x")
        yield number, bytes(changed)


def read_or_refused(path):
    """What was read, or None of a file that was refused as it must be, or remarked upon: it has lost its checksum."""
    try:
        return load_weights(path)
    except UserWarning:  # an error in tests
        return None
    except ValueError as error:
        assert str(error).startswith(f"{path}: ") and "\n" not in str(error) and len(str(error)) < 1500, error
        return None


@pytest.mark.parametrize("ending", [".npz", ".safetensors"])
def test_no_damage_lets_another_number_in(tmp_path, ending):
    wanted, path = parameters(), tmp_path / f"a{ending}"
    save_weights(path, wanted, **GEOMETRY)
    content = path.read_bytes()
    read = 0
    for number, changed in mutants(content, ending, 800):
        path.write_bytes(changed)
        found = read_or_refused(path)
        if found is not None:
            read += 1
            assert found[1] == GEOMETRY, number
            assert all(found[0][name].tobytes() == value.tobytes() for name, value in wanted.items()), number
    assert read < 400


def test_every_bit_of_the_listing_of_an_npz(tmp_path):
    """An entry of the directory that swallows those behind it took the geometry with it; 9 bits did."""
    wanted, path = parameters(), tmp_path / "a.npz"
    save_weights(path, wanted, **GEOMETRY)
    content = path.read_bytes()
    begin = content.index(b"PK\x01\x02")
    for at in range(8 * begin, 8 * len(content), 5):
        changed = bytearray(content)
        changed[at // 8] ^= 1 << at % 8
        path.write_bytes(changed)
        found = read_or_refused(path)
        assert found is None or found[1] == GEOMETRY, at


def test_a_safetensors_file_without_a_checksum_is_read_with_a_warning(tmp_path):
    from safetensors.numpy import save_file

    path = tmp_path / "foreign.safetensors"
    save_file(parameters(), path)
    with pytest.warns(UserWarning, match=f"^{re.escape(str(path))}: found no checksum in it"):
        load_weights(path)
    done = run("convert", path, tmp_path / "b.npz", "--input-shape", "7,6,2", "--padding", "same")
    said = f"remark: {path}: found no checksum in it, so a number that was changed on the way could not be noticed\n"
    assert (done.returncode, done.stderr) == (0, said)


def test_a_number_in_a_safetensors_file_that_was_changed(tmp_path):
    path = tmp_path / "a.safetensors"
    save_weights(path, parameters(), **GEOMETRY)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert "do not fit the checksum" in refused(load_weights, path)
    path.write_bytes(bytes(content[:-1]) + bytes([content[-1] ^ 1]))
    assert load_weights(path)[1] == GEOMETRY


def test_mixed_dtypes_are_not_rounded(tmp_path):
    mixed = {**parameters(), "conv_weight": parameters("float64")["conv_weight"]}
    path = npz(tmp_path / "a.npz", conv_weight=mixed["conv_weight"])
    assert "found dtypes conv_weight float64" in refused(load_weights, path)
    from safetensors.numpy import save_file

    path = tmp_path / "a.safetensors"
    save_file(mixed, path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert "found dtypes" in refused(load_weights, path)
    with pytest.raises(ValueError, match="found dtypes conv_weight float64, .* wanted one for all"):
        save_weights(tmp_path / "b.npz", mixed)
    assert not (tmp_path / "b.npz").exists()


# --- memory and time before any limit

LONG = "{'descr': '<f4', 'fortran_order': False, 'shape': (4,), }" + " " * (1 << 20)
NPY = {
    "a header of gigabytes": b"\x93NUMPY\x02\x00" + struct.pack("<I", (1 << 31) - 1) + bytes(1 << 16),
    "a header of a megabyte": header(LONG, 2),
    "a long header": header("{'descr': '<f4'," + " " * 9000 + "'fortran_order': False, 'shape': (4,), }\n"),
    "deep brackets": header("(" * 900 + ")" * 900),
    "no end of a bracket": header("{'descr': '<f4', 'fortran_order': False, 'shape': (4,"),
    "an indent": header("  {'descr': '<f4',\n 'fortran_order'"),
    "a name": header("{'descr': f4, 'fortran_order': False, 'shape': (4,), }\n"),
    "a product": header("{'descr': '<f4', 'fortran_order': False, 'shape': (9**9**9,), }\n"),
    "true for one": header("{'descr': '<f4', 'fortran_order': False, 'shape': (True, 4), }\n") + bytes(16),
    "a negative size": header("{'descr': '<f4', 'fortran_order': False, 'shape': (-4,), }\n") + bytes(16),
    "terabytes": header("{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776,), }\n") + bytes(16),
    "objects": header("{'descr': '|O', 'fortran_order': False, 'shape': (4,), }\n") + bytes(32),
    "records": header("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (4,), }\n") + bytes(16),
    "a dtype by name": header("{'descr': 'float32', 'fortran_order': False, 'shape': (4,), }\n") + bytes(16),
    "no bytes at all": b"",
}


@pytest.mark.parametrize("case", NPY)
def test_headers_of_npy(tmp_path, case):
    refused(load_weights, npz(tmp_path / "a.npz", dense_bias=NPY[case]))
    refused(load_weights, npz(tmp_path / "b.npz", zipfile.ZIP_DEFLATED, dense_bias=NPY[case]))


def test_a_padding_of_gigabytes(tmp_path):
    text = header("{'descr': '<U5000000', 'fortran_order': False, 'shape': (), }\n") + bytes(20_000_000)
    assert "padding: found 20000" in refused(load_weights, npz(tmp_path / "a.npz", zipfile.ZIP_DEFLATED, padding=text))


def test_more_than_ten_times_its_size_is_not_unpacked(tmp_path):
    text = header("{'descr': '<f4', 'fortran_order': False, 'shape': (2500000, 4), }\n") + bytes(40_000_000)
    path = npz(tmp_path / "a.npz", zipfile.ZIP_DEFLATED, dense_weight=text)
    assert path.stat().st_size < 100_000
    assert "wanted at most 1048576 packed in" in refused(load_weights, path)


def test_a_member_that_unpacks_to_more_than_its_listing_says(tmp_path):
    path = npz(tmp_path / "a.npz", zipfile.ZIP_DEFLATED, dense_bias=bytes(60_000_000))
    content = bytearray(path.read_bytes())
    content[:] = content.replace(struct.pack("<I", 60_000_000), struct.pack("<I", 144))
    path.write_bytes(content)
    assert "size or checksum is wrong" in refused(load_weights, path)


def test_a_listing_of_a_million_members(tmp_path):
    path = npz(tmp_path / "a.npz")
    content = path.read_bytes()
    begin = content.index(b"PK\x01\x02")
    entry = content[begin : content.index(b"PK\x01\x02", begin + 4)]
    path.write_bytes(content[:begin] + entry * 100_000 + content[begin:])
    assert "found more than 100 members" in refused(load_weights, path)


@pytest.mark.parametrize("what", ["folder", "twice", "overlap", "lzma", "encrypted", "comment", "between"])
def test_members_that_are_not_plain(tmp_path, what):
    path = npz(tmp_path / "a.npz")
    with zipfile.ZipFile(path, "a", zipfile.ZIP_LZMA if what == "lzma" else zipfile.ZIP_STORED) as archive:
        if what == "folder":
            archive.mkdir("conv_weight")
        elif what in ("twice", "lzma"):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # zipfile's own, of the name
                archive.writestr("dense_bias.npy" if what == "twice" else "more.npy", npy(np.ones(4, np.float32)))
        elif what == "comment":
            archive.comment = b"PK\x05\x06" + bytes(18)
    content = bytearray(path.read_bytes())
    begin = content.index(b"PK\x01\x02")
    if what == "encrypted":
        content[begin + 8] |= 1
    elif what == "overlap":
        second = content.index(b"PK\x01\x02", begin + 4)
        content[second + 42 : second + 46] = content[begin + 42 : begin + 46]
    elif what == "between":
        content[begin:begin] = b"nobody's"
        content[-6:-2] = struct.pack("<I", begin + 8)
    path.write_bytes(content)
    refused(load_weights, path)


def test_a_safetensors_header_that_is_no_header(tmp_path):
    for number, text in enumerate(
        (
            b"[" * 60_000,
            b'{"conv_weight":1,"dense_weight":2,"dense_bias":3}',
            b'{"__metadata__":[]}',
            b'{"dense_bias":{},"dense_bias":{}}',
            b"\xff\xfe" * 40,
            b'{"' + b"x" * 60_000 + b'":{}}',
        )
    ):
        path = tmp_path / f"{number}.safetensors"
        path.write_bytes(struct.pack("<Q", len(text)) + text)
        refused(load_weights, path)
    path.write_bytes(struct.pack("<Q", 90_000_000) + bytes(100))
    assert "found a header of 90000000 bytes" in refused(load_weights, path)


def test_gzip_of_idx_that_unpacks_to_a_thousand_times_its_size(tmp_path):
    sizes = struct.pack(">HBB3I", 0, 8, 3, 400, 512, 512)
    squeeze = zlib.compressobj(1, wbits=31)
    content = squeeze.compress(sizes) + b"".join(squeeze.compress(bytes(1 << 20)) for _ in range(100)) + squeeze.flush()
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(content)
    message = refused(lambda path: idx.unpack(path, 3), path)
    assert message == "found too small a gzip file for the 104857600 bytes declared, wanted 67108864 at most"


def test_blank_images_may_be_packed_as_small_as_they_come(tmp_path):
    path = tmp_path / "train-images-idx3-ubyte.gz"
    content = struct.pack(">HBB3I", 0, 8, 3, 4000, 28, 28) + bytes(4000 * 784)
    path.write_bytes(gzip.compress(content))
    assert hashlib.sha256(idx.unpack(path, 3)).digest() == hashlib.sha256(content).digest()


# --- what is no regular file


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "nothing"])
@pytest.mark.parametrize("ending", [".npz", ".safetensors", ".pt", ".weights.h5"])
def test_only_regular_files_are_read(tmp_path, kind, ending):
    path = tmp_path / f"a{ending}"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    begin = time.monotonic()
    with pytest.raises(FileNotFoundError if kind == "nothing" else ValueError, match=re.escape(str(path))):
        compare.convert(path, tmp_path / "b.npz", **NETWORK)
    assert time.monotonic() - begin < 5
    assert not (tmp_path / "b.npz").exists()


def test_a_pipe_in_the_place_of_images(tmp_path):
    for name, _ in idx.FILES.values():
        os.mkfifo(tmp_path / name)
    with pytest.raises(ValueError, match="found no regular file, wanted an IDX file"):
        data.load(tmp_path)


@pytest.mark.parametrize("ending", [".npz", ".safetensors"])
def test_only_regular_files_are_replaced(tmp_path, ending):
    pipe, link, real = tmp_path / f"pipe{ending}", tmp_path / f"link{ending}", tmp_path / f"real{ending}"
    os.mkfifo(pipe)
    with pytest.raises(ValueError, match="found no regular file, wanted one to replace, or none"):
        save_weights(pipe, parameters())
    assert pipe.is_fifo()
    real.write_text("old")
    link.symlink_to(real)
    save_weights(link, parameters(), **GEOMETRY)
    assert link.is_symlink() and load_weights(real)[1] == GEOMETRY
    assert sorted(path.name for path in tmp_path.iterdir()) == [link.name, pipe.name, real.name]


# --- HDF5 in a process of its own


def bad_h5(folder):
    """HDF5 files that are not what they should be, by what is wrong."""
    import h5py

    values = parameters()
    places = {"conv_weight": "layers/conv2d/vars/0", "dense_weight": "layers/dense/vars/0"}
    places["dense_bias"] = "layers/dense/vars/1"
    for what in ("pieces of gigabytes", "deep groups", "many", "elsewhere", "linked", "shape", "virtual"):
        path = folder / f"{what}.weights.h5"
        with h5py.File(path, "w") as file:
            for name, place in places.items():
                if name != "dense_weight" or what in ("deep groups", "many"):
                    file[place] = values[name]
            place, shape = places["dense_weight"], values["dense_weight"].shape
            if what == "pieces of gigabytes":
                file.create_dataset(place, (1, 1), "f4", chunks=(1 << 14, 1 << 13), maxshape=(None, None))
                file[place].resize(shape)
            elif what == "deep groups":
                group = file["layers"]
                for _ in range(2000):
                    group = group.create_group("g")
            elif what == "many":
                for number in range(3000):
                    file.create_group(f"layers/g{number}")
            elif what == "elsewhere":
                file.create_dataset(place, shape, "f4", external=[("/etc/passwd", 0, h5py.h5f.UNLIMITED)])
            elif what == "linked":
                file[place] = h5py.ExternalLink("/etc/passwd", "x")
            elif what == "virtual":
                layout = h5py.VirtualLayout(shape, "f4")
                layout[...] = h5py.VirtualSource("other.h5", "x", shape)
                file.create_virtual_dataset(place, layout)
            else:
                file.create_dataset(place, (1 << 30, 1 << 30), "f4", chunks=(8, 8))
        yield what, path


def test_h5_is_read_with_limits(tmp_path):
    """In the reader's own process, which h5py alone needs; what the adapter makes of it is in `test_keras_cnn`."""
    pytest.importorskip("h5py")
    reader = ROOT / "keras_cnn" / "read_h5.py"
    cases = dict(bad_h5(tmp_path))
    for what, path in cases.items():
        begin = time.monotonic()
        command = [sys.executable, "-P", str(reader), str(path), "2000", "10"]
        done = subprocess.run(command, capture_output=True, timeout=60)
        assert done.returncode == 0 and done.stdout.startswith(b'{"wrong": "found '), (what, done)
        assert time.monotonic() - begin < 5, what
