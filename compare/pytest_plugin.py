"""pytest: one test for each quantity of a network under test, so that a course can grade with it.

`pytest --cnn my_cnn.py:MyCNN` runs them without any test file; in one, `parametrize_with_checks` makes them. Each is
marked with its part of the network, such as cnn_conv_forward; in JUnit's XML the class is the part, and has its points.
"""

import functools

import pytest

import compare
from compare import start

with start.away_from_here():
    from compare.contract import UnavailableError
    from compare.graph import STAGE_OF


@functools.cache
def _result(target):
    with start.away_from_here():  # what NumPy and the judge load only now is not taken from the tests' folders
        return compare.check(target)


class QuantityCheck:
    """One quantity of one mode: called with a target, it passes, skips with the reason, or fails with the picture.

    mode: "alone" (the stage by itself), "head" or "run" (a whole pass). quantity: as in `compare parity`.
    """

    def __init__(self, mode, quantity):
        self.mode, self.quantity = mode, quantity

    def __str__(self):
        return f"{self.mode}-{self.quantity}"

    __repr__ = __str__

    def __call__(self, target):
        """Check the target, once for all of its quantities, and judge this one.

        Raises:
            AssertionError: it differs, raised, crashed or hung, or nothing at all could be checked; the message is the
                picture and the diagnosis.
        """
        result = _result(target)
        if not result.counts["checked"]:  # else all would be skipped, and the run would pass
            pytest.fail(str(result), pytrace=False)
        outcome = result.quantities.get((self.mode, self.quantity), "not offered")
        if outcome in ("not offered", "not reached"):
            pytest.skip(outcome if outcome == "not offered" else "not reached: something before it fails")
        if outcome != "agrees":
            pytest.fail("\n".join(result.why(self.mode, self.quantity)), pytrace=False)


def checks():
    """All `QuantityCheck`s, in the order of a pass."""
    with start.away_from_here():
        from compare.checking.run import quantity_names

    return [QuantityCheck(mode, quantity) for mode, quantity in quantity_names()]


def parametrize_with_checks(targets):
    """Decorator for a test with the arguments `implementation` and `check`: one test per target and quantity.

    Args:
        targets: of `compare.check`: classes, functions or paths.

    The body is `check(implementation)`. Nothing runs before the tests do.
    """
    pairs = [
        pytest.param(target, check, id=f"{_name(target)}-{check}", marks=getattr(pytest.mark, mark_of(check)))
        for target in targets
        for check in checks()
    ]
    return pytest.mark.parametrize(("implementation", "check"), pairs)


def mark_of(check):
    """The name of the mark of a check's part."""
    return f"cnn_{STAGE_OF[check.quantity].replace(' ', '_')}"


def _name(target):
    return getattr(target, "__name__", str(target))


def pytest_configure(config):
    """A mark for each part of the network."""
    for stage in dict.fromkeys(STAGE_OF.values()):
        config.addinivalue_line("markers", f"cnn_{stage.replace(' ', '_')}: {stage} of a network under test")


def pytest_addoption(parser):
    """--cnn."""
    parser.getgroup("cnn", "is this network the same network?").addoption(
        "--cnn",
        action="append",
        default=[],
        metavar="TARGET",
        help="check a network, one test per quantity: FILE, FILE:Name, FOLDER or package.module:Class; may be "
        "repeated. Without paths beside it, nothing else is collected.",
    )


def pytest_ignore_collect(collection_path, config):
    """With --cnn alone, files are left alone."""
    alone = config.getoption("cnn") and config.args_source != pytest.Config.ArgsSource.ARGS
    return True if alone and collection_path.is_file() else None


def pytest_collection_modifyitems(session, config, items):
    """The tests of --cnn come after those of files."""
    for target in config.getoption("cnn"):
        items += [
            _Item.from_parent(
                session,
                name=f"{target}-{check}",
                nodeid=f"{target}::{STAGE_OF[check.quantity]}::{check}",
                check=check,
                target=target,
            )
            for check in checks()
        ]


def _points(target, check):
    """Properties: the points that a check gives, by the rubric that `grade` has without one, and how many there are."""
    with start.away_from_here():
        from compare.grading import marking, rubric

        got, most = marking.worth(_result(target), check.mode, check.quantity, rubric.read().points)
    return [("points", got), ("out_of", most)]


class _Item(pytest.Item):
    def __init__(self, *, check, target, **keywords):
        super().__init__(**keywords)
        self.check, self.target = check, target
        self.add_marker(mark_of(check))

    def runtest(self):
        self.user_properties += [("part", STAGE_OF[self.check.quantity]), *_points(self.target, self.check)]
        self.check(self.target)

    def repr_failure(self, excinfo, style=None):
        if isinstance(excinfo.value, FileNotFoundError | ValueError | UnavailableError | RuntimeError):
            return f"{type(excinfo.value).__name__}: {excinfo.value}"
        return super().repr_failure(excinfo, style)

    def reportinfo(self):
        return self.path, None, self.name
