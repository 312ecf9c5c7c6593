"""Nobody passes `check` by our own work, nor by writing the answer: what the code runs in holds neither."""

import pytest
from strangers import FUNCTIONS

import compare

OURS = {
    "all of it is ours": "from numpy_cnn.layers import Layers\n",
    "a subclass of ours": "from numpy_cnn import CNN\n\n\nclass Mine(CNN):\n    pass\n",
}
REFUSES = (
    FUNCTIONS
    + """
class Adapter:
    def __init__(self, input_shape=(28, 28, 1), filters=8, classes=10, dtype="float64"):
        pass

    def set_parameters(self, parameters):
        self.p = {name: np.array(value) for name, value in parameters.items()}

    def forward_stage(self, stage, x, labels=None):
        if stage != "probabilities":
            raise NotImplementedError("not this one")
        return softmax(x)
"""
)
FORGED = """
import __main__, os, sys
{}


def softmax(z):
    return z
"""


@pytest.mark.parametrize("text", ["all of it is ours", "a subclass of ours"])
def test_our_own_network_is_nobodys_work(text, tmp_path):
    (tmp_path / "mine.py").write_text(OURS[text])
    result = compare.check(tmp_path / "mine.py")
    assert result.exit_code == 3, f"\n{result}"
    assert result.ours == ["numpy_cnn"] and "it opens numpy_cnn, of this project" in str(result)


def test_a_file_of_ours_that_is_only_read_is_told(tmp_path):
    import numpy_cnn

    text = f"import numpy as np\nTEXT = open({numpy_cnn.__file__!r}).read()\n" + FUNCTIONS
    (tmp_path / "mine.py").write_text(text)
    result = compare.check(tmp_path / "mine.py")
    assert result.exit_code == 3 and result.ours == ["numpy_cnn"], f"\n{result}"


@pytest.mark.parametrize(
    "trick",
    [
        "__main__.write_result = lambda *a, **k: None",
        "__main__.Caller.answer = lambda self, asked: {'value': None}",
        "__main__.encoded = lambda *a, **k: {'$': 'float', 'of': 'inf'}",
        "os._exit(0)",
        "sys.exit(0)",
    ],
)
def test_who_writes_the_answer_does_not_pass(trick, tmp_path):
    (tmp_path / "mine.py").write_text(FORGED.format(trick))
    try:
        result = compare.check(tmp_path / "mine.py", timeout=20)
    except (ValueError, RuntimeError):  # nothing that can be read as an answer
        return
    assert result.exit_code != 0, f"\n{result}"


def test_what_is_refused_is_no_agreement(tmp_path):
    (tmp_path / "mine.py").write_text("import numpy as np\n" + REFUSES)
    result = compare.check(f"{tmp_path / 'mine.py'}:Adapter")
    assert result.counts["differed"] == 0 and result.counts["passed"], f"\n{result}"
    assert result.exit_code == 3 and "it is refused: not this one" in str(result), f"\n{result}"
