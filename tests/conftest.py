"""Where the tests find MNIST, and the rule that nothing is skipped where it could have run."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def mnist_dir():
    """The folder of the real MNIST files: MNIST_DIR, or ../shared/mnist beside the checkout."""
    folder = Path(os.environ.get("MNIST_DIR", ROOT.parent / "shared" / "mnist"))
    if not folder.is_dir():
        pytest.skip(f"no MNIST files: set MNIST_DIR to their folder (looked at {folder.name})")
    return folder


def pytest_terminal_summary(terminalreporter):
    """Where everything is installed (CNN_COMPARE_NO_SKIP=1), a skipped test is a failure."""
    if os.environ.get("CNN_COMPARE_NO_SKIP") and terminalreporter.stats.get("skipped"):
        terminalreporter.write_line("CNN_COMPARE_NO_SKIP is set and tests were skipped: that counts as a failure")


def pytest_sessionfinish(session, exitstatus):
    """See `pytest_terminal_summary`."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CNN_COMPARE_NO_SKIP") and reporter and reporter.stats.get("skipped") and exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
