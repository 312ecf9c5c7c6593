"""Where the tests find MNIST, which of them share a process, and the rule that nothing is skipped without need."""

import os
import warnings
from pathlib import Path

import adapters
import pytest

ROOT = Path(__file__).resolve().parent.parent
# With several workers (pytest-xdist) the tests of a file stay together, in order, since they share what is made once:
# a process with a framework in it, a table, the namespace of a page. In these files each test stands alone.
ALONE = {"test_check.py", "test_cli.py", "test_foreign.py", "test_framework_subjects.py", "test_pages.py"}
# What has a limit of seconds, or measures them, takes turns: never two of these at once.
TIMED = {"test_cells.py", "test_timing.py", "test_nasty"}


def pytest_collection_modifyitems(items):
    """Give each test the group of tests that run in one worker; a mark of its own, `xdist_group`, goes before."""
    for item in items:
        timed = {item.path.name, item.originalname} & TIMED
        if not item.get_closest_marker("xdist_group") and (timed or item.path.name not in ALONE):
            item.add_marker(pytest.mark.xdist_group("timing" if timed else item.path.stem))


@pytest.fixture(scope="session")
def mnist_dir():
    """The folder of the real MNIST files: MNIST_DIR, or ../shared/mnist beside the checkout."""
    folder = Path(os.environ.get("MNIST_DIR", ROOT.parent / "shared" / "mnist"))
    if not folder.is_dir():
        pytest.skip(f"no MNIST files: set MNIST_DIR to their folder (looked at {folder.name})")
    return folder


@pytest.fixture(scope="session")
def torch_child():
    """Calls functions in a process with PyTorch in it; warnings are errors there too."""
    with adapters.child("torch", "torch", initializer=warnings.simplefilter, initargs=("error",)) as child:
        yield child


@pytest.fixture(scope="session")
def keras_child(tmp_path_factory):
    """Calls functions in a process with Keras and TensorFlow in it."""
    with adapters.child("keras", "tensorflow") as child:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("KERAS_HOME", str(tmp_path_factory.mktemp("keras")))  # Keras writes its settings there
            patch.delenv("KERAS_BACKEND", raising=False)
            child(os.getpid)  # starts it in this environment
        yield child


def pytest_terminal_summary(terminalreporter):
    """Where everything is installed (CNN_COMPARE_NO_SKIP=1), a skipped test is a failure."""
    if os.environ.get("CNN_COMPARE_NO_SKIP") and terminalreporter.stats.get("skipped"):
        terminalreporter.write_line("CNN_COMPARE_NO_SKIP is set and tests were skipped: that counts as a failure")


def pytest_sessionfinish(session, exitstatus):
    """See `pytest_terminal_summary`."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CNN_COMPARE_NO_SKIP") and reporter and reporter.stats.get("skipped") and exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
