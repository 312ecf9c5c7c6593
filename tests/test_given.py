"""`compare.check` of classes, functions and objects in memory, what it shows in a notebook; --require and --adapter."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import compare
from compare import cli
from compare.checking.saying.result import REQUIRED

FOREIGN = Path(__file__).parent / "foreign"


def namespace(*files):
    """What the files define, as it stands in a notebook: in no file."""
    found = {"__name__": "__main__"}
    for file in files:
        exec((FOREIGN / file).read_text(), found)
    return found


@pytest.fixture(scope="module")
def cells():
    return namespace("right/step_while_going_back.py")


def test_several_parts_without_a_file(cells):
    result = compare.check(cells["Convolution"], cells["MaxPooling"], cells["FullyConnected"], cells["SoftMax"])
    assert result.exit_code == 0, f"\n{result}"
    assert result.counts["passed"] >= 25
    assert result.target == "Convolution, MaxPooling, FullyConnected, SoftMax"


def test_one_part_alone_and_an_object_as_it_is(cells):
    pool = cells["MaxPooling"]
    for target in (pool, pool()):
        result = compare.check(target)
        assert (result.exit_code, result.counts["passed"], result.target) == (0, 2, "MaxPooling"), f"\n{result}"


def test_functions_without_a_file():
    found = namespace("right/one_map_functions.py")
    result = compare.check(found["avg_pool"], found["d_avg_pool"])
    assert (result.exit_code, result.counts["passed"]) == (0, 2), f"\n{result}"


def test_a_wrong_object_is_named():
    layer = namespace("wrong/stale_argmax.py")["MaxPool2"]()
    result = compare.check(layer)
    assert result.judgement.named == "where the maximum was is kept from the first call", f"\n{result}"


def test_what_cannot_be_checked_says_why(cells):
    pool = cells["MaxPooling"]
    with pytest.raises(ValueError, match="found none"):
        compare.check()
    with pytest.raises(ValueError, match="found MaxPooling twice"):
        compare.check(pool, pool)
    with pytest.raises(ValueError, match="found several with a path among them"):
        compare.check("my_cnn.py", pool)
    with pytest.raises(ValueError, match="wanted a path, a module's name, a class"):
        compare.check(np.zeros(3))
    with pytest.raises(ValueError, match="nothing to check in Local"):
        compare.check(type("Local", (), {}))
    unsent = type("MaxPool", (), {"forward": lambda self, x: x, "held": (_ for _ in ())})
    with pytest.raises(ValueError, match="cannot be sent to a process of its own"):
        compare.check(unsent)


def test_a_notebook_shows_a_table(cells):
    shown = compare.check(namespace("wrong/tie_to_all.py")["MaxPool2"])._repr_html_()
    assert shown.count("<tr>") == 2
    assert "every tied maximum gets the gradient" in shown
    assert "<script" not in compare.check(type("MaxPool<script>", (cells["MaxPooling"],), {}))._repr_html_()


def test_what_is_required_must_be_judged():
    path = str(FOREIGN / "right" / "pool_only.py")
    assert compare.check(path, require="pool").exit_code == 0
    result = compare.check(path, require="conv,pool")
    assert result.exit_code == 3
    assert result.missing == [("conv", ["conv forward", "conv backward"])]
    assert "required, and not judged: conv (conv forward, conv backward)" in str(result)
    assert result.document()["required_and_not_judged"] == [
        {"part": "conv", "stages": ["conv forward", "conv backward"]}
    ]
    assert [word for word, _ in compare.check(path, require=["all"]).missing] == [w for w in REQUIRED if w != "pool"]
    with pytest.raises(ValueError, match="require: found 'pol', wanted of conv, pool"):
        compare.check(path, require="pol")


UNUSUAL = """
import numpy as np


class MaxPool:
    def forward(self, x):
        return x[:, : x.shape[1] // 2 * 2, : x.shape[2] // 2 * 2].reshape(
            len(x), x.shape[1] // 2, 2, x.shape[2] // 2, 2, -1
        ).max(axis=(2, 4))


class Conv:
    def __init__(self, plan):
        self.weights = np.zeros((3, 3, *plan.channels))

    def forward(self, x):
        windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(1, 2))
        return np.einsum("nhwcij,ijcf->nhwf", windows, self.weights)
"""
COMPLETED = {
    "theirs.Conv(plan)": "theirs.Conv(__import__('types').SimpleNamespace(channels=(in_channels, num_filters)))",
    "self.layer.weight ": "self.layer.weights ",
}


def test_an_adapter_is_drafted_and_completed(tmp_path):
    code, draft = tmp_path / "theirs.py", tmp_path / "drafts" / "adapter.py"
    code.write_text(UNUSUAL)
    draft.parent.mkdir()
    command = [sys.executable, "-m", "compare", "check", str(code), "--adapter", str(draft), "--require", "conv"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parent.parent)
    assert done.returncode == 3, done.stderr
    assert "could not be connected: Conv: " in done.stdout
    assert "required, and not judged: conv" in done.stdout
    text = draft.read_text()
    assert text.count("# complete") <= 6 + 1  # and the line that speaks of them
    compile(text, "adapter.py", "exec")
    for drafted, completed in COMPLETED.items():
        assert drafted in text
        text = text.replace(drafted, completed)
    draft.write_text(text)
    result = compare.check(str(draft), require="pool")
    assert result.counts["differed"] == result.counts["failed"] == 0, f"\n{result}"
    assert {"conv forward", "pool forward"} <= {r["stage"] for r in result.judgement.rows if r["outcome"] == "agrees"}


def test_an_adapter_replaces_no_file(tmp_path, capsys):
    code = tmp_path / "theirs.py"
    code.write_text(UNUSUAL)
    with pytest.raises(SystemExit, match="2"):
        cli.main(["check", str(code), "--adapter", str(code)])
    assert f"--adapter: found a file {code}, wanted a new one" in " ".join(capsys.readouterr().err.split())
    assert code.read_text() == UNUSUAL


def test_no_adapter_where_nothing_is_left(tmp_path, capsys):
    file = tmp_path / "adapter.py"
    with pytest.raises(SystemExit, match="0"):
        cli.main(["check", str(FOREIGN / "right" / "pool_only.py"), "--adapter", str(file)])
    assert "nothing that looks like a layer and was left open" in capsys.readouterr().err
    assert not file.exists()


DENSE = """
import numpy as np


class Dense:
    def __init__(self, inputs, outputs):
        self.W, self.b = np.random.randn(inputs, outputs) * 0.1, np.zeros(outputs)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dy):
        self.dW, self.db = self.x.T @ dy, dy.sum(axis=0)
        return dy @ self.W.T


class SGD:
"""
NOT_OURS = {
    "another momentum": """
    def __init__(self, lr=0.1, mu=0.9):
        self.lr, self.mu, self.v = lr, mu, 0

    def update(self, w, dw):
        self.v = self.mu * self.v + dw
        return w - self.lr * self.v
""",
    "gradients first": """
    def __init__(self, lr=0.1):
        self.lr = lr

    def update(self, grads, params):
        for name in params:
            params[name] -= self.lr * grads[name]
""",
    "weights of another name": """
    def __init__(self, modules, lr=0.1):
        self.modules, self.lr = modules, lr

    def step(self):
        for module in self.modules:
            if hasattr(module, "weight"):
                module.weight -= self.lr * module.d_weight
""",
}


@pytest.mark.parametrize("code", NOT_OURS.values(), ids=NOT_OURS)
def test_an_optimiser_is_not_charged_for_a_call_of_ours(code, tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(DENSE + code)
    result = compare.check(str(file))
    assert (result.exit_code, result.counts["differed"]) == (3, 0), f"\n{result}"
    assert "could not be connected: SGD" in str(result)
