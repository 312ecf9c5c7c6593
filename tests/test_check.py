"""`compare.check` and its command: what they take, print, write and answer. What is said of code: `test_foreign`."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from documentation import ROOT
from strangers import ALL_IN_ONE, CONTRACT, CONV, POOL, SOFTMAX

import compare

TUTORIAL = CONV + POOL + SOFTMAX
MASK = """mask = part == part.max()
                    d_input[2 * i:2 * i + 2, 2 * j:2 * j + 2, k] = mask * d_out[i, j, k]"""
TIED = (POOL[POOL.index("a, b = np") : POOL.index("        return d_input")].rstrip(), MASK)


@pytest.fixture
def written(tmp_path):
    def write(text, name="my_cnn.py", pairs=()):
        for old, new in pairs:
            assert old in text, old
            text = text.replace(old, new)
        path = tmp_path / name
        path.write_text("import numpy as np\n" + text)
        return str(path)

    return write


def run_command(*arguments, **options):
    done = subprocess.run(
        [sys.executable, "-m", "compare", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        **options,
    )
    assert "Traceback" not in done.stderr
    return done


ABSENT = ("pandas", "scipy", "tqdm", "tabulate", "torch", "tensorflow", "keras", "jax", "matplotlib", "psutil")


@pytest.mark.parametrize(("arguments", "code"), [(["check", "my_cnn.py"], 0), (["parity"], 3)])
def test_the_command_needs_numpy_and_click_alone(written, tmp_path, arguments, code):
    written(TUTORIAL)
    absent = f"import sys; sys.modules.update(dict.fromkeys({ABSENT}))"
    script = f"{absent}; from compare.cli import main; main({arguments})"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert ("29 passed" in done.stdout) if code == 0 else ("pip install '.[compare]'" in done.stderr)


def test_every_answer_counts_all(written):
    results = [compare.check(written(text)) for text in (CONV, CONTRACT)]
    totals = []
    for result in results:
        counts = result.counts
        assert counts["checked"] == counts["passed"] + counts["differed"] + counts["failed"]
        totals.append(counts["checked"] + counts["not reached"] + counts["not offered"])
        assert f"{counts['checked']} quantities checked" in str(result)
    assert totals[0] == totals[1] == 37
    assert results[0].counts["not offered"] >= 34  # a convolution forward and backward is a thin check


def test_saved_case(written, tmp_path):
    path = written(TUTORIAL, pairs=[TIED])
    done = run_command("check", path, "--save", str(tmp_path / "case"), "--json", str(tmp_path / "rows.json"))
    assert done.returncode == 1, done.stderr
    script = tmp_path / "case" / "show.py"
    assert f"written: {script}" in done.stdout
    assert len(script.read_text().splitlines()) <= 20
    shown = subprocess.run([sys.executable, "-I", str(script)], capture_output=True, text=True)
    assert shown.returncode == 0, shown.stderr
    assert re.search(
        r"pool backward, d_conv, float64: [1-9]\d* of \d+ numbers differ by more than rounding", shown.stdout
    )
    with np.load(tmp_path / "case" / "case.npz", allow_pickle=False) as case:
        assert case["found"].shape == case["wanted"].shape == case["allowance"].shape
        assert {"input_conv", "input_upstream"} <= set(case.files)
    rows = json.loads((tmp_path / "rows.json").read_text())
    assert rows["diagnosis"][0][0]["name"] == "every tied maximum gets the gradient"
    assert rows["counts"]["differed"] == 2


def test_template_works_as_it_stands(written, tmp_path):
    done = run_command("check", "--template")
    lines = done.stdout.splitlines()
    assert done.returncode == 0
    assert 3 <= len([line for line in lines if line.strip() and not line.startswith("#")]) <= 10
    written(ALL_IN_ONE + "\n\nMyNet = SimpleCNN\n", "my_code.py")
    text = done.stdout.replace(
        "self.net.filters, self.net.w, self.net.b = ", "self.net.kernels, self.net.weights, self.net.bias = "
    )
    text = text.replace('p["conv_weight"],', 'p["conv_weight"][:, :, 0].transpose(2, 0, 1),').replace(
        "forward(images)", "forward(images[..., 0])"
    )
    text = text[: text.index("    def gradients")].replace(
        "        self.net = ",
        "        if (*input_shape, filters, classes) != (28, 28, 1, 8, 10):\n"
        "            raise NotImplementedError('MNIST only')\n        self.net = ",
    )
    (tmp_path / "adapter.py").write_text(text)
    done = run_command("check", "adapter.py:Adapter", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "softmax   forward  agrees" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nowhere.py"], 2, "no file or folder nowhere.py"),
        ([], 2, "missing TARGET"),
        (["empty.py"], 2, "nothing to check in empty.py"),
        (["empty.py:Conv"], 2, "has no class 'Conv'"),
        (["empty.py", "--timeout", "0"], 2, "timeout"),
        (["empty.py", "--json", "no/such/folder.json"], 2, "no/such"),
    ],
)
def test_bad_input(tmp_path, arguments, code, message):
    (tmp_path / "empty.py").write_text("x = 1\n")
    done = run_command("check", *arguments, cwd=tmp_path)
    assert done.returncode == code
    assert message in done.stderr


def test_a_class_and_a_function_by_themselves(written, monkeypatch):
    text = (ROOT / "tests" / "foreign" / "right" / "contract.py").read_text()
    monkeypatch.syspath_prepend(Path(written(text, "as_class.py")).parent)
    import as_class

    assert compare.check(as_class.Net).exit_code == 0
    with pytest.raises(ValueError, match="nothing to check in Local"):
        compare.check(type("Local", (), {"__qualname__": "f.<locals>.Local"}))
    with pytest.raises(ValueError, match="wanted a path"):
        compare.check(3)


def test_raise_if_different(written):
    with pytest.raises(AssertionError, match="every tied maximum"):
        compare.check(written(TUTORIAL, pairs=[TIED])).raise_if_different()


def test_a_dense_layer_with_softmax_that_leaves_its_bias_out(written):
    """It gives the right numbers at no size, and the right shape at all."""
    left_out = ("np.dot(x, self.weights) + self.biases", "np.dot(x, self.weights)")
    result = compare.check(written(TUTORIAL, pairs=[left_out]))
    assert result.exit_code == 1 and result.judgement.stage == "softmax forward", f"\n{result}"
