"""What is written: names are data, files are whole or not there, and two who write at once do not mix."""

import contextlib
import dataclasses
import os
import subprocess
import sys
import threading
import time
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import test_pages
from test_check import TIED, TUTORIAL
from test_cli import run

import compare
from compare import cli, files, plain
from compare.cells import cells
from compare.checking.saying.saving import save_case
from compare.commands import failure
from compare.pages import again, report
from numpy_cnn import plain_files

EVIL = {
    "code": 'a""";import os;os.mkdir("HACKED");""".py',
    "code in one quote": "a';import os;os.mkdir('HACKED');'.py",
    "braces": "a{__import__('os').mkdir('HACKED')}.py",
    "lines": "a\nimport os\nos.mkdir('HACKED')\n.py",
    "backslash": "a\\",
    "terminal": "a\x1b]0;title\x07\x1b[2J\x1b[31m\x9b1m\r.py",
    "direction": "a\u202egnp.\u2066x\u200f\u061c.py",
    "no UTF-8": os.fsdecode(b"a\xff\xfe.py"),
    "markup": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "table": "a|b`c`[d](javascript:alert(1))![e](f)",
    "fence": "a\n```\n<script>alert(1)</script>\n```\n",
    "separators": "a\u2028b\u2029c\x85d",
}


def is_plain(text):
    """Whether nothing steers a terminal or the direction of reading, and any output takes it."""
    text.encode()
    return not [each for each in text if unicodedata.category(each) in ("Cc", "Cf", "Cs") and each != "\n"]


@pytest.fixture(scope="module")
def differing(tmp_path_factory):
    """The answer of `check` for a tutorial whose pool is wrong."""
    path = tmp_path_factory.mktemp("code") / "my_cnn.py"
    path.write_text("import numpy as np\n" + TUTORIAL.replace(*TIED))
    return compare.check(str(path))


@pytest.mark.parametrize("name", EVIL)
def test_a_name_is_never_pasted_into_a_script(differing, tmp_path, name):
    script = save_case(dataclasses.replace(differing, target=EVIL[name]), tmp_path / "case")
    text = script.read_bytes().decode("ascii")
    assert len(text.splitlines()) == 20
    done = subprocess.run([sys.executable, "-I", str(script)], capture_output=True, cwd=tmp_path, timeout=60)
    assert done.returncode == 0 and b"numbers differ by more than rounding" in done.stdout, done.stderr
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["case", "case.npz", "show.py"]


@pytest.mark.parametrize("name", EVIL.values())
def test_names_in_markdown(name):
    said = again.markdown(name)
    assert is_plain(said) and "\n" not in said
    assert "<" not in said and "`" not in said
    assert not [at for at, each in enumerate(said) if each in "|[" and said[at - 1] != "\\"]


def test_names_in_a_report():
    name = " ".join(EVIL.values())
    parity, accuracy, speed = test_pages.good()
    for frame in (parity, accuracy, speed):
        frame.attrs["data"] = name
    settings = {**test_pages.SETTINGS, "data_source": name}
    written = report.render(parity, accuracy, speed, settings)
    for page in ("index.html", "report.md"):
        assert is_plain(written[page]), page
        outside = "".join(written[page].split("\n```\n")[::2])  # within a fence all is text
        assert "<script>alert" not in outside and "<img src=x" not in outside
    assert written["report.md"].splitlines().count("```") == 2, "a name ended the fence"


@pytest.mark.parametrize("name", EVIL)
def test_names_on_the_terminal(name, capsys):
    for arguments in (
        ["data", "show", "--data", EVIL[name]],
        [EVIL[name]],
        ["check", EVIL[name]],
        ["list", "--x" + EVIL[name]],
    ):
        with pytest.raises(SystemExit) as caught:
            cli.main(arguments)
        said = capsys.readouterr()
        assert caught.value.code == 2
        assert said.out == "" and is_plain(said.err) and "Error: " in said.err, arguments


def test_a_message_is_one_line_and_no_longer_than_anybody_reads():
    for error in (
        ValueError("x" * 100_000_000),
        OSError("a\nb" * 1_000_000),
        MemoryError("y" * 10_000_000),
        KeyError("\x1b" * 10**6),
    ):
        try:
            raise error
        except Exception as caught:
            error.__traceback__ = None
            code, line = failure_of(caught)
        assert code in (2, 70) and "\n" not in line and len(line) < 10_000 and is_plain(line)


def failure_of(error):
    """What is said of an error that comes out of this project."""
    code = compile("raise error", str(failure.ROOT / "compare" / "made.py"), "exec")
    try:
        exec(code, {"error": error})
    except Exception as caught:
        return failure.explain(caught)


def test_what_code_raises_is_a_bounded_line(capsys):
    assert plain.line("a\x00b\x1b[31m\u202ec\ud800 \n d") == "a\\x00b\\x1b[31m\\u202ec\\ud800 d"
    assert len(plain.line("x" * 10**8)) < plain.LONGEST + 10
    assert len(plain.lines("\n".join(["x"] * 10**6)).splitlines()) == plain.LINES + 1


def test_a_file_name_that_is_no_utf8_works_from_end_to_end(tmp_path):
    name = os.fsdecode(b"my_\xff.py")
    (tmp_path / name).write_text("import numpy as np\n" + TUTORIAL.replace(*TIED))
    rows, case = tmp_path / os.fsdecode(b"\xfe.json"), tmp_path / os.fsdecode(b"case\xff")
    done = run("check", name, "--json", rows, "--save", case, cwd=tmp_path, PYTHONPATH=str(failure.ROOT))
    assert done.returncode == 1, done.stderr
    assert f"written: {tmp_path}/case\\udcff/show.py" in done.stdout and done.stderr == ""
    assert rows.stat().st_size and (case / "show.py").is_file()


# --- whole or not at all


def test_two_threads_write_the_same_file(tmp_path):
    """Each had the same name for its unfinished file, and tore the other's."""
    path, wrong = tmp_path / "r.npz", []

    def write(value):
        for _ in range(30):
            try:
                cells.write_result(path, {"of": value}, {"a": np.full(5000, value)})
                arrays, meta = cells.read_arrays(path)
                assert (arrays["a"] == meta["of"]).all()
            except Exception as error:
                wrong.append(error)

    threads = [threading.Thread(target=write, args=(value,)) for value in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert [file.name for file in tmp_path.iterdir()] == ["r.npz"]


FULL = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from compare import files
from compare.cells import cells
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
for call in (
    lambda path: cells.write_result(path, {}, {"a": np.zeros(100_000)}),
    lambda path: files.write_bytes(path, bytes(100_000)),
):
    try:
        call(Path("out.npz"))
    except OSError as error:
        print(type(error).__name__, list(Path().iterdir()))
"""


def test_a_full_disk_leaves_nothing(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FULL],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(failure.ROOT)},
    )
    assert done.stdout == "OSError []\nOSError []\n", done.stderr


def test_a_name_that_can_be_written_is_not_refused_and_the_other_way_round(tmp_path):
    longest = tmp_path / ("x" * 250 + ".json")
    files.check_writable(longest)
    files.write_text(longest, "whole")
    with pytest.raises(OSError, match="File name too long"):
        files.check_writable(tmp_path / ("x" * 256))
    with pytest.raises(OSError):
        files.check_writable(tmp_path / "none" / "a.json")
    with pytest.raises(ValueError, match="found a folder, wanted a file or nothing"):
        files.check_writable(tmp_path)
    assert list(tmp_path.iterdir()) == [longest]


def test_many_ask_at_once_whether_a_file_can_be_written(tmp_path):
    wrong = []

    def ask():
        for _ in range(50):
            try:
                files.check_writable(tmp_path / "a.json")
            except OSError as error:
                wrong.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == [] and list(tmp_path.iterdir()) == []


def test_a_link_stays_one_and_a_device_is_written_to(tmp_path):
    real, link, null = tmp_path / "real", tmp_path / "link", tmp_path / "null"
    link.symlink_to("real")
    null.symlink_to("/dev/null")
    full = tmp_path / "full"
    full.symlink_to("/dev/full")
    for path in (link, null):
        files.check_writable(path)
        files.write_text(path, "text")
    with pytest.raises(OSError, match="No space left"):
        files.write_text(full, "text")
    assert link.is_symlink() and real.read_text() == "text"
    assert null.is_symlink() and Path("/dev/null").is_char_device() and Path("/dev/full").is_char_device()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full", "link", "null", "real"]


def test_a_folder_is_taken_by_one_report_at_a_time(tmp_path, monkeypatch):
    folder = tmp_path / "a" / "report"
    monkeypatch.setattr("compare.verdict.run.parity", lambda *_, **__: pytest.fail("the work began"))
    holder = "import sys; from compare import files\nwith files.taken(sys.argv[1]): print(flush=True); sys.stdin.read()"
    other = subprocess.Popen(
        [sys.executable, "-c", holder, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(failure.ROOT)},
    )
    other.stdout.readline()
    try:
        with pytest.raises(ValueError, match="found another command that is writing there, wanted one at a time"):
            compare.report(folder, "numpy-layers", "sample")
    finally:
        other.communicate()
    assert list(tmp_path.iterdir()) == []
    with contextlib.suppress(pytest.fail.Exception):
        compare.report(folder, "numpy-layers", "sample")
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_swept_at_the_next_write(tmp_path, monkeypatch):
    text = "import sys, os; from numpy_cnn import plain_files\n"
    text += "with plain_files.scratch(sys.argv[1], '.part-'): os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", text, str(tmp_path)], env={**os.environ, "PYTHONPATH": str(failure.ROOT)})
    (left,) = tmp_path.iterdir()
    files.write_text(tmp_path / "a", "text")
    assert left.exists(), "a moment old: it may be somebody's who is about to lock it"
    old = time.time() - 2 * plain_files.STALE
    os.utime(left, (old, old))
    with plain_files.locked(left):
        script = "import sys; from numpy_cnn import plain_files as p; print(p.abandoned(sys.argv[1], '.part-'))"
        done = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path)],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(failure.ROOT)},
        )
        assert done.stdout == "[]\n", done.stderr
    files.write_text(tmp_path / "a", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("name", [name for name in EVIL.values() if "\0" not in name])
def test_a_command_to_be_repeated_holds_the_name_as_it_is(name):
    word = again.quoted(name)
    assert "\n" not in word and is_plain(word)
    done = subprocess.run(["bash", "-c", f"printf %s {word}"], capture_output=True)
    assert os.fsdecode(done.stdout) == name


def test_what_cannot_be_written_is_named_as_it_was_given(tmp_path, capsys):
    for option in (["parity", "--json"], ["check", "absent.py", "--adapter"]):
        place = tmp_path / "no_folder" / "out.json"
        with pytest.raises(SystemExit, match="2"):
            cli.main([*option, str(place)])
        assert capsys.readouterr().err == f"Error: [Errno 2] No such file or directory: '{place}'\n"
