"""`compare.check` on networks of strangers: the right are not accused, the wrong are named, the nasty end in a line."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from documentation import ROOT
from strangers import (
    ALL_IN_ONE,
    BATCH,
    COLUMNS,
    CONTRACT,
    CONV,
    FUNCTIONS,
    IM2COL,
    NETWORK,
    POOL,
    SOFTMAX,
    SOFTMAX_LOSS,
    TRAINED,
)

import compare

TUTORIAL = CONV + POOL + SOFTMAX
SPLIT = """best = parts == parts.max(axis=3, keepdims=True)
    return parts.max(axis=3), (x.shape, best / best.sum(axis=3, keepdims=True))"""
SUMMED = FUNCTIONS.replace("return d / len(labels)", "return d").replace("labels].mean()", "labels].sum()")
AVERAGE = POOL.replace("MaxPool2", "AvgPool2").replace("x.max(", "x.mean(")
AVERAGE = AVERAGE[: AVERAGE.index("        for i in range(p):")] + (
    "        d_input[:2 * p, :2 * q] = d_out.repeat(2, axis=0).repeat(2, axis=1) / 4\n        return d_input\n"
)
PIXEL_BIAS = CONV.replace("/ 9\n", "/ 9\n        self.bias = np.ones((26, 26, num_filters))\n", 1).replace(
    "        return out", "        return out + self.bias"
)
# source, how many quantities must have passed at least, a remark that must be there
RIGHT = {
    "tutorial": (TUTORIAL, 25, "one image at a time"),
    "channels first": (BATCH, 20, "held at 0"),
    "functions": (FUNCTIONS, 25, ""),
    "gradients returned": (FUNCTIONS + NETWORK, 8, ""),
    "trains itself": (FUNCTIONS + TRAINED, 12, ""),
    "all in one": (ALL_IN_ONE, 12, ""),
    "contract": ((ROOT / "tests" / "foreign" / "right" / "contract.py").read_text(), 24, ""),
    "log of more": (FUNCTIONS.replace("labels])", "labels] + 1e-8)"), 25, "1e-08 added inside the logarithm"),
    "im2col": (IM2COL, 3, ""),
    "columns": (COLUMNS, 4, ""),
    "softmax with loss": (SOFTMAX_LOSS, 2, ""),
    "convolution alone": (CONV, 2, ""),
    "pool alone": (POOL, 2, ""),
    "float32": (BATCH.replace("return np.einsum(", "return np.float32(1) * np.einsum("), 20, ""),
    "split ties": (
        re.sub(r"return parts.max\(axis=3\), .*", SPLIT, FUNCTIONS).replace("(best == k)", "best[..., k, :]"),
        20,
        "share the gradient evenly",
    ),
    "summed": (SUMMED, 25, "summed over the batch"),
    "average pooling": (CONV + AVERAGE + SOFTMAX, 25, "average"),
    "bias for each pixel": (PIXEL_BIAS + POOL + SOFTMAX, 25, "one for each output pixel"),
    "channels last flatten": (
        BATCH.replace("x.reshape(x.shape[0], -1)", "x.transpose(0, 2, 3, 1).reshape(x.shape[0], -1)")
        .replace("self.shape = x.shape\n", "self.shape = x.transpose(0, 2, 3, 1).shape\n")
        .replace(".reshape(self.shape)", ".reshape(self.shape).transpose(0, 3, 1, 2)"),
        20,
        "",
    ),
}
MASK = """mask = part == part.max()
                    d_input[2 * i:2 * i + 2, 2 * j:2 * j + 2, k] = mask * d_out[i, j, k]"""
TIED = (POOL[POOL.index("a, b = np") : POOL.index("        return d_input")].rstrip(), MASK)
UNSHIFTED = ("np.exp(totals - totals.max())", "np.exp(totals)")
# source, replacements, stage, names of which it must be one
WRONG = {
    "tie to all": (TUTORIAL, [TIED], "pool backward", "every tied maximum gets the gradient"),
    "no shift": (TUTORIAL, [UNSHIFTED], "softmax forward", "no shift in the softmax"),
    "two at once": (
        TUTORIAL,
        [TIED, UNSHIFTED],
        "softmax forward",
        "no shift in the softmax + every tied maximum gets the gradient",
    ),
    "flipped": (
        TUTORIAL,
        [("np.sum(region *", "np.sum(region[::-1, ::-1] *")],
        "conv forward",
        "kernel flipped in the forward pass",
    ),
    "not accumulated": (
        TUTORIAL,
        [("d_filters[f] +=", "d_filters[f] =")],
        "conv backward",
        "filter gradient of the last window only",
    ),
    "returns too early": (
        TUTORIAL,
        [("        return d_input", "            return d_input")],
        "pool backward",
        "only the first row of windows hands its gradient back",
    ),
    "sent back late": (
        TUTORIAL,
        [
            ("            d_x = self.weights @ d_totals\n", ""),
            ("            return d_x.", "            d_x = self.weights @ d_totals\n            return d_x."),
        ],
        "dense backward",
        "gradient sent back through weights already updated",
    ),
    "transposed": (
        BATCH,
        [
            ('"nchwij,fcij->nfhw"', '"nchwji,fcij->nfhw"'),
            ('"nchwij,nfhw->fcij"', '"nchwji,nfhw->fcij"'),
            ("self.W[:, :, i, j]", "self.W[:, :, j, i]"),
        ],
        "conv forward",
        "kernel transposed, forward and backward",
    ),
    "averaged over places": (
        BATCH,
        [("view, dout)\n        self.db", "view, dout) / dout[0, 0].size\n        self.db")],
        "conv backward",
        "filter gradient averaged over places",
    ),
    "accumulated": (
        BATCH,
        [
            ('self.grads["W"] = dout.T @ self.x', 'self.grads["W"] = self.grads.get("W", 0) + dout.T @ self.x'),
            ('self.grads["b"] = dout', 'self.grads["b"] = self.grads.get("b", 0) + dout'),
            ("self.dW = np", "self.dW = getattr(self, 'dW', 0) + np"),
        ],
        "dense backward",
        "gradients added to those of the calls before",
    ),
    "flatten": (
        FUNCTIONS,
        [
            ("flat = x.reshape(len(x), -1)", "flat = x.transpose(0, 2, 1, 3).reshape(len(x), -1)"),
            (
                "return (dout @ W.T).reshape(shape)",
                "n, p, q, f = shape\n    return (dout @ W.T).reshape(n, q, p, f).transpose(0, 2, 1, 3)",
            ),
        ],
        "dense forward",
        "flatten with rows and columns exchanged",
    ),
    "bits": (FUNCTIONS, [("-np.log(", "-np.log2(")], "loss forward", "loss in bits"),
    "wrong axis": (
        FUNCTIONS,
        [
            ("max(axis=1, keepdims=True)", "max(axis=0, keepdims=True)"),
            ("sum(axis=1, keepdims=True)", "sum(axis=0, keepdims=True)"),
        ],
        "softmax forward",
        "softmax over the batch",
    ),
    "one shift": (
        FUNCTIONS,
        [("z - z.max(axis=1, keepdims=True)", "z - z.max()")],
        "softmax forward",
        "one shift for the whole batch",
    ),
    "half": (FUNCTIONS, [("return d / len(labels)", "return d / len(labels) / 2")], "loss backward", "(p - y) / 2"),
    "divided twice": (
        FUNCTIONS,
        [("return d / len(labels)", "return d / len(labels) ** 2")],
        "loss backward",
        "divided by the batch twice",
    ),
    "labels": (
        FUNCTIONS,
        [
            ("d[np.arange(len(labels)), labels] -= 1", "d[np.arange(len(labels)), labels - 1] -= 1"),
            ("probs[np.arange(len(labels)), labels]", "probs[np.arange(len(labels)), labels - 1]"),
        ],
        "loss forward",
        "labels off by one",
    ),
    "truncated": (
        FUNCTIONS,
        [("view, w) + b, (x", "view, w).astype(int).astype(x.dtype) + b, (x")],
        "conv forward",
        "output truncated to whole numbers",
    ),
    "windows missed": (
        FUNCTIONS,
        [
            ("p, q = h // 2, w // 2\n    parts", "p, q = h // 2, w // 2\n    x = x.copy()\n    parts"),
            (
                "return parts.max(axis=3), (",
                "out = parts.max(axis=3)\n    out[:, -1] = 0\n    out[:, :, -1] = 0\n    return out, (",
            ),
        ],
        "pool forward",
        "last row and column of windows missed",
    ),
    "last of a tie": (
        FUNCTIONS,
        [("parts.argmax(axis=3)", "3 - parts[:, :, :, ::-1].argmax(axis=3)")],
        "pool backward",
        "a tie goes to the last maximum",
    ),
    "ascent": (FUNCTIONS + TRAINED, [("- lr *", "+ lr *")], "dense backward", "y - p | ascent instead of descent"),
    "momentum": (
        ALL_IN_ONE,
        [
            ("self.kernels -= lr * np.einsum", "self.v = 0.9 * getattr(self, 'v', 0) + np.einsum"),
            ("view, d_a)", "view, d_a)\n        self.kernels -= lr * self.v"),
        ],
        "conv backward",
        "",
    ),
    "filters dead": (
        ALL_IN_ONE,
        [("self.kernels -= lr", "self.kernels -= 0 * lr")],
        "conv backward",
        "the filters get no gradient | the filters are not updated",
    ),
    "random": (
        FUNCTIONS,
        [
            (
                "return parts.max(axis=3), (",
                "return parts.max(axis=3) * (np.random.rand(*parts.max(axis=3).shape) > 0.5) * 2, (",
            )
        ],
        "pool forward",
        "",
    ),
}


@pytest.fixture
def written(tmp_path):
    def write(text, name="my_cnn.py", pairs=()):
        for old, new in pairs:
            assert old in text, old
            text = text.replace(old, new)
        path = tmp_path / name
        path.write_text("import numpy as np\n" + text)
        return str(path) + ":Network" * ("class Network" in text)

    return write


@pytest.mark.parametrize("style", RIGHT)
def test_right(style, written):
    text, floor, remark = RIGHT[style]
    result = compare.check(written(text))
    assert result.exit_code == 0, f"\n{result}"
    assert result.counts["passed"] >= floor, f"\n{result}"
    assert result.counts["differed"] == result.counts["failed"] == result.counts["not reached"] == 0
    assert remark in " ".join(str(result).split())
    result.raise_if_different()


@pytest.mark.parametrize("mistake", WRONG)
def test_wrong(mistake, written):
    text, pairs, stage, name = WRONG[mistake]
    result = compare.check(written(text, pairs=pairs))
    assert result.exit_code == 1, f"\n{result}"
    names = " | ".join(" + ".join(defect.name for defect in found) for found in result.judgement.diagnosis)
    assert (result.judgement.stage, names) == (stage, name), f"\n{result}"


ENDLESS = "while True:\n            pass\n"
# source, replacements, exit code, a pattern in the answer
NASTY = {
    "endless loop": (
        TUTORIAL,
        [("        d_input = np.zeros", f"        {ENDLESS}        d_input = np.zeros")],
        4,
        r"pool +backward HUNG +.*no answer within 1 s",
    ),
    "endless import": (
        CONV,
        [("class Conv3x3", "while True:\n    pass\n\nclass Conv3x3")],
        4,
        r"HUNG while it was imported: no answer within 1 s",
    ),
    "ends the process": (
        TUTORIAL,
        [("        self.last_shape = x.shape", "        import os; os._exit(3)")],
        4,
        r"CRASHED.*exit code 3",
    ),
    "ends it late": (
        TUTORIAL,
        [
            (
                "        d_filters = np.zeros",
                "        self.count = getattr(self, 'count', 0) + 1\n        d_filters = np.zeros",
            ),
            (
                "        return None",
                "        if self.count > 3:\n            import os; os._exit(3)\n        return None",
            ),
        ],
        4,
        r"conv +backward CRASHED +.*exit code 3",
    ),
    "segfault": (
        TUTORIAL,
        [("        d_input = np.zeros", "        import ctypes; ctypes.string_at(0)\n        d_input = np.zeros")],
        4,
        r"pool +backward CRASHED.*SIGSEGV",
    ),
    "exits": (
        CONV,
        [("class Conv3x3", "import sys; sys.exit(0)\nclass Conv3x3")],
        4,
        r"RAISED while it was imported: SystemExit at my_cnn.py:3",
    ),
    "no such module": (
        CONV,
        [("class Conv3x3", "import no_such_module\nclass Conv3x3")],
        4,
        r"RAISED while it was imported: ModuleNotFoundError at my_cnn.py:3",
    ),
    "raises": (
        TUTORIAL,
        [
            (
                "        d_filters = np.zeros",
                "        if self.last_input.shape == (28, 28): raise KeyError('weights')\n        d_filters = np.zeros",
            )
        ],
        4,
        r"conv +backward RAISED +.*KeyError at my_cnn.py:\d+: 'weights'",
    ),
    "Python 2": (
        CONV + '\nprint "ready"\n',
        [],
        4,
        r"SyntaxError at my_cnn.py:\d+: .*Python 2: print needs parentheses",
    ),
    "old NumPy": (
        CONV,
        [("np.zeros((h - 2", "np.zeros(dtype=np.float, shape=(h - 2")],
        4,
        r"conv +forward +RAISED +.*AttributeError at my_cnn.py:\d+: .*1\.24",
    ),
    "prints and seeds": (
        TUTORIAL,
        [
            (
                "        self.last_input = image",
                "        np.random.seed(1); print('hello')\n        self.last_input = image",
            )
        ],
        0,
        r"seeds the global random state \(np.random.seed at my_cnn.py:\d+\)",
    ),
    "writes into its input": (
        TUTORIAL,
        [("        x = x.flatten()", "        x *= 2\n        x = x.flatten() / 2")],
        0,
        r"the array of pool that it is given is changed in place",
    ),
}


@pytest.mark.parametrize("trouble", NASTY)
def test_nasty(trouble, written):
    text, pairs, code, pattern = NASTY[trouble]
    limit = 3 if "endless" in trouble else 60
    began = time.monotonic()
    result = compare.check(written(text, pairs=pairs), timeout=limit)
    assert time.monotonic() - began < limit + 2 + 3  # two seconds to end it, and what is left to be judged
    assert result.exit_code == code, f"\n{result}"
    assert re.search(pattern, str(result)), f"\n{result}"


def test_grandchildren_end_too(written, tmp_path):
    began = time.monotonic()
    mark = f"{tmp_path}/mark"
    child = f"[sys.executable, '-c', 'import time; time.sleep(300)', {mark!r}]"
    start = f"import subprocess, sys, time\nsubprocess.Popen({child})\ntime.sleep(300)\n"
    result = compare.check(written(CONV, pairs=[("class Conv3x3", start + "class Conv3x3")]), timeout=2)
    assert result.status == "hung"
    assert time.monotonic() - began < 4.5
    assert not [process for process in psutil.process_iter(["cmdline"]) if mark in (process.info["cmdline"] or [])]


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


def test_folder_in_the_shape_of_the_tutorial(written, tmp_path):
    for name, text in (("conv.py", CONV), ("maxpool.py", POOL), ("softmax.py", SOFTMAX)):
        written(text, name)
    result = compare.check(tmp_path)
    assert result.exit_code == 0 and result.counts["passed"] >= 25


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
    with pytest.raises(ValueError, match="inside something else"):
        compare.check(type("Local", (), {"__qualname__": "f.<locals>.Local"}))
    with pytest.raises(ValueError, match="wanted a path"):
        compare.check(3)


def test_raise_if_different(written):
    with pytest.raises(AssertionError, match="every tied maximum"):
        compare.check(written(TUTORIAL, pairs=[TIED])).raise_if_different()
