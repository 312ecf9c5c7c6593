"""`compare.check` needs NumPy and no framework, nor anything else."""

from pathlib import Path

import compare

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "my_cnn.py"


def test_the_example_is_named():
    result = compare.check(EXAMPLE)
    assert result.exit_code == 1
    assert result.judgement.stage == "pool backward"
    assert result.judgement.named == "every tied maximum gets the gradient"
    assert result.counts["differed"] == 2


def test_with_its_one_change_it_agrees(tmp_path):
    wrong = "largest = window == window.max(axis=(0, 1))"
    right = "largest = (np.arange(4)[:, None] == window.reshape(4, -1).argmax(0)).reshape(2, 2, -1)"
    text = EXAMPLE.read_text()
    assert wrong in text
    (tmp_path / "my_cnn.py").write_text(text.replace(wrong, right))
    result = compare.check(tmp_path / "my_cnn.py")
    assert result.exit_code == 0, str(result)
    assert result.counts["passed"] == 29


def test_a_file_that_needs_a_framework(tmp_path):
    softmax = (
        "def softmax(z):\n    e = np.exp(z - z.max(axis=1, keepdims=True))\n    return e / e.sum(axis=1, keepdims=True)"
    )
    (tmp_path / "net.py").write_text(f"import no_such_framework\nimport numpy as np\n\n\n{softmax}\n")
    result = compare.check(tmp_path / "net.py")
    assert result.exit_code == 0 and "what uses it is not judged: No module named 'no_such_framework'" in str(result)
