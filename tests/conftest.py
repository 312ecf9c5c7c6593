"""Where the tests find MNIST, which of them share a process, and the rule that nothing is skipped without need."""

import os
import warnings
from pathlib import Path

import adapters
import pytest

ROOT = Path(__file__).resolve().parent.parent


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


def keras(framework, package, folder):
    """A fixture's generator: calls functions in a process with Keras in it, which writes its settings to the folder."""
    with adapters.child(framework, package) as child:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("KERAS_HOME", str(folder))
            patch.delenv("KERAS_BACKEND", raising=False)
            child(os.getpid)  # starts it in this environment
        yield child


@pytest.fixture(scope="session")
def keras_child(tmp_path_factory):
    """Calls functions in a process with Keras and TensorFlow in it."""
    yield from keras("keras", "tensorflow", tmp_path_factory.mktemp("keras"))


@pytest.fixture(scope="session")
def keras_jax_child(tmp_path_factory):
    """Calls functions in a process with Keras and JAX in it."""
    yield from keras("keras-jax", "jax", tmp_path_factory.mktemp("keras"))


@pytest.fixture(scope="session")
def keras_torch_child(tmp_path_factory):
    """Calls functions in a process with Keras and PyTorch in it."""
    yield from keras("keras-torch", "torch", tmp_path_factory.mktemp("keras"))


NO_NETWORK = "no network: "  # how the reason of a skip begins that no installation would have spared


def _skipped(reporter):
    """Reports of skipped tests, but for those that wanted the network where there is none."""
    found = reporter.stats.get("skipped", []) if reporter else []
    return [report for report in found if NO_NETWORK not in str(report.longrepr)]


def pytest_terminal_summary(terminalreporter):
    """Where everything is installed (CNN_COMPARE_NO_SKIP=1), a skipped test is a failure."""
    if os.environ.get("CNN_COMPARE_NO_SKIP") and _skipped(terminalreporter):
        terminalreporter.write_line("CNN_COMPARE_NO_SKIP is set and tests were skipped: that counts as a failure")


def pytest_sessionfinish(session, exitstatus):
    """See `pytest_terminal_summary`."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CNN_COMPARE_NO_SKIP") and _skipped(reporter) and exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
