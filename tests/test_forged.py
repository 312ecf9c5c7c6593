"""What the process of the code under test leaves or answers is believed in nothing: what is no answer is a crash."""

import io
import os
import time

import numpy as np
import psutil
import pytest
from strangers import CONV
from test_cells import code, run_cell  # noqa: F401 - `code` is a fixture

import compare
from compare.cells.forms import fits
from compare.checking.process import answers, messages
from compare.checking.process.stranger import Stranger, _TimedOut

BYTES = {
    "lengths beyond all": "HEAD(1 << 62, 1 << 62)",
    "arrays beyond all": "HEAD(2, 1 << 40) + b'{}'",
    "a text of 100 MB": "HEAD(100 << 20, 0) + b'x' * (100 << 20)",
    "no JSON": "HEAD(3, 0) + b'\\xff\\xfe{'",
    "brackets": "HEAD(100_000, 0) + b'[' * 100_000",
    "nested lists": """TEXT('{"$": "list", "of": [' * 300 + ']}' * 300)""",
    "a list of JSON's": "TEXT('[1, 2]')",
    "no number": "TEXT('NaN')",
    "a number of 5000 digits": "TEXT('1' * 5000)",
    "no value": "HEAD(2, 0) + b'{}'",
    "an array of objects": """TEXT('{"$": "array", "dtype": "|O", "shape": [1]}', 8)""",
    "a shape below 0": """TEXT('{"$": "array", "dtype": "<f8", "shape": [-1]}', 8)""",
    "a shape beyond all": """TEXT('{"$": "array", "dtype": "<f8", "shape": [4611686018427387904]}', 8)""",
    "a shape of words": """TEXT('{"$": "array", "dtype": "<f8", "shape": ["x"]}', 8)""",
    "bytes of no array": "TEXT('null', 8)",
    "a list for a key": """TEXT('{"$": "dict", "of": [[{"$": "list", "of": []}, 1]]}')""",
    "a thing without a number": """TEXT('{"$": "ref", "of": null, "type": 3}')""",
    "an unknown kind": """TEXT('{"$": "code", "of": "exit()"}')""",
    "something raised, and not said what": """HEAD(17, 0) + b'{"raised": [1, 2]}'[:17]""",
}
QUICK = ("lengths beyond all",)
WRITES = """
import __main__, os, struct, time
import numpy as np
{conv}
HEAD = struct.Struct("<QQ").pack
def TEXT(value, blob=0):
    text = ('{{"$": "dict", "of": [["value", ' + value + ']]}}').encode()
    return HEAD(len(text), blob) + text + bytes(blob)
plain, left = __main__.messages.send, [{after}]
def send(pipe, value, keep):
    left[0] -= 1
    if left[0] >= 0:
        return plain(pipe, value, keep)
    pipe.write({content})
    pipe.flush()
__main__.messages.send = send
"""


def text_of(value, blob=0):
    """A message that is whole, of one value as JSON."""
    text = ('{"$": "dict", "of": [["value", ' + value + "]]}").encode()
    return messages.HEAD.pack(len(text), blob) + text + bytes(blob)


@pytest.mark.parametrize("what", BYTES)
def test_bytes_that_are_no_message(what):
    sent = io.BytesIO(eval(BYTES[what], {"HEAD": messages.HEAD.pack, "TEXT": text_of}))  # noqa: S307 - written above
    with pytest.raises(messages.MalformedError):
        answers.checked({"do": "read", "paths": [1]}, messages.receive(sent, thing_of))


def thing_of(message):
    return Stranger._known(None, message)


@pytest.mark.parametrize("after", [0, 2, 9], ids=["at once", "when it is listed", "when it is called"])
@pytest.mark.parametrize(
    "what", [what if what in QUICK else pytest.param(what, marks=pytest.mark.thorough) for what in BYTES]
)
def test_an_answer_that_is_none_is_a_crash(tmp_path, what, after):
    (tmp_path / "code.py").write_text(WRITES.format(conv=CONV, content=BYTES[what], after=after))
    before = psutil.Process().memory_info().rss
    result = compare.check(tmp_path / "code.py", timeout=40)
    assert result.exit_code == 4 and "CRASHED" in str(result), f"\n{result}"
    assert len(str(result)) < 5000
    assert psutil.Process().memory_info().rss - before < 200 << 20


OTHERS = ["None", "7", "'x'", "[]", "{}", "[[1, 2]]", "[None, None]", "{'value': 1, 'changed': 3}", "{'name': []}"]


@pytest.mark.thorough
@pytest.mark.parametrize("other", [*OTHERS, "1e999", "[('x', 99, ['?'])]"])
@pytest.mark.parametrize("asked", ["inventory", "call", "arrays", "read", "told", "make", "file"])
def test_an_answer_of_another_form_is_nobodys_error_but_the_codes(tmp_path, asked, other):
    forge = f"import __main__\nimport numpy as np\n__main__.Caller.do_{asked} = lambda self, *a, **k: {other}\n"
    (tmp_path / "code.py").write_text(forge + CONV)
    try:
        result = compare.check(tmp_path / "code.py", timeout=40)
    except ValueError as error:  # a list of nothing is one, too
        assert (asked, other) == ("inventory", "[]") and "nothing to check" in str(error)
        return
    assert result.exit_code in (3, 4) or asked in ("told", "make", "file"), f"\n{result}"


@pytest.mark.parametrize("asked", ["inventory", "call", "arrays", "told", "make", "file"])
def test_an_answer_of_another_form_is_none(asked):
    for other in OTHERS:
        value = eval(other)  # noqa: S307 - written above
        good = {("make", "None"), ("file", "7"), ("inventory", "[]"), ("arrays", "[]")}
        if (asked, other) not in good:
            with pytest.raises(messages.MalformedError, match="another form than is wanted of"):
                answers.checked({"do": asked}, {"value": value})


def test_forms():
    assert fits([1, 2], [int]) and fits([], [int]) and not fits([1, "x"], [int])
    assert fits((1, "x"), [int, str]) and not fits((1,), [int, str]) and not fits("ab", [str])
    assert fits(None, (str, None)) and not fits(True, int) and fits(True, bool) and fits(np.ones(2), np.ndarray)
    assert fits({"a": 1}, {"b?": int}) and not fits({"b": "x"}, {"b?": int}) and fits("a", frozenset("ab"))
    assert fits({"a": 1}, {str: int}) and not fits({"a": "x"}, {str: int}) and not fits({1: 1}, {str: int})
    assert fits({"a": 1, "b": 2}, {"a": int}) and not fits({"b": 1}, {"a": int}) and not fits([], {"a": int})


def test_what_is_asked_of_the_code_has_a_form():
    with pytest.raises(messages.MalformedError, match="another form than is wanted of read"):
        answers.checked({"do": "read", "paths": [1, 2]}, {"value": [1]})
    assert answers.checked({"do": "read", "paths": [1]}, {"value": [1]}) == {"value": [1]}
    assert answers.checked({"do": "read", "paths": [1]}, None) is None


def test_code_that_reads_nothing_any_more_is_hung(tmp_path):
    """What is written to it is held back by nobody: the pipe is full at 64 kB."""
    text = CONV.replace("        self.num_filters = num_filters\n", "        while True: pass\n")
    (tmp_path / "code.py").write_text("import numpy as np\n" + text)
    result = compare.check(tmp_path / "code.py", timeout=4)
    assert result.exit_code == 4 and "HUNG" in str(result), f"\n{result}"


def test_code_that_closes_what_it_answers_through_is_a_crash_or_hung(tmp_path):
    (tmp_path / "code.py").write_text("import os, time\nos.closerange(3, 300)\nwhile True: time.sleep(1)\n")
    result = compare.check(tmp_path / "code.py", timeout=8)
    assert result.exit_code == 4, f"\n{result}"


SLOW = ("'x' * (100 << 20)", "np.zeros(1 << 24)", "[[0] * 9999] * 9999")


@pytest.mark.parametrize("value", ["10 ** 6000", *(pytest.param(each, marks=pytest.mark.thorough) for each in SLOW)])
def test_a_text_or_number_beyond_all_bounds_is_no_answer_and_no_error_of_ours(tmp_path, value):
    conv = CONV.replace("return out\n", f"return {value}\n")
    (tmp_path / "code.py").write_text("import numpy as np\n" + conv)
    result = compare.check(tmp_path / "code.py")
    assert result.exit_code in (3, 4), f"{value}\n{result}"


NOTED = "raised={}, refused={}, outcomes={}, offers=[]"
LEFT = {
    "nothing but a status": ("check", ""),
    "a list of numbers for remarks": ("check", NOTED + ", remarks=[1]"),
    "nothing noted": ("parity", ""),
    "names of one word": ("parity", "raised={'x': 'y'}, refused={}, outcomes={}, offers=[]"),
    "an outcome that is none": ("parity", "raised={}, refused={}, outcomes={'a|b|c': 'fine'}, offers=[]"),
    "an array of one word": ("parity", NOTED + "), a=np.ones(3"),
    "texts for numbers": ("parity", NOTED + "), **{'a|b|c': np.array('x')}"),
    "no trainings": ("accuracy", "trainings=3"),
    "a point without a loss": ("accuracy", "trainings={'same|0': {'rows': [{'step': 1}], 'diverged': {}}}"),
    "no samples": ("speed", ""),
    "samples of two axes": ("speed", "), a=np.ones((2, 2)"),
    "remarks that are one text": ("load_weights", "remarks='x'"),
    "a version that is a list": ("import", "version=[1]"),
}


@pytest.mark.parametrize("what", LEFT)
def test_a_result_that_is_none_of_its_task_is_a_crash(code, tmp_path, what):  # noqa: F811
    task, more = LEFT[what]
    close = "" if "**" in more else ")"
    text = (
        "import json, os, pathlib, sys\nimport numpy as np\nfrom compare.cells.cells import write_result\n"
        "def left(meta, **arrays):\n    write_result(pathlib.Path(sys.argv[1]).parent / 'result.npz', meta, arrays)\n"
        f"left(dict(status='ok', {more}{close})\nos._exit(0)\n"
    )
    result = run_cell(code("leaves", text), tmp_path, limit=20, task=task)
    wanted = "the process ended with exit code 0 and left a result that is none of this task"
    assert (result.status, result.error) == ("crashed", wanted), result.log


def test_a_pipe_that_nobody_reads_is_written_to_for_a_time():
    read, write = os.pipe()
    pipe = _TimedOut(write)
    pipe.end = time.monotonic() + 0.2
    with pytest.raises(TimeoutError):
        pipe.write(bytes(1 << 20))
    pipe.close()
    os.close(read)
