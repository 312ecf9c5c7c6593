"""Options in, calls out, nothing else: `python -m compare COMMAND`, installed as `cnn-compare`.

The exit codes are in EXIT_CODES.
"""

import contextlib
import io
import os
import signal
import sys
import tempfile
import threading
import traceback

import click

from compare import plain_files
from compare.cells import guard
from compare.commands import checking, comparing, exchange, failure, grading, speed, sweep
from compare.commands.options import Commands, say

EXIT_CODES = """Exit codes: 0 agrees, 1 differs, 2 usage or bad input, 3 cannot be decided (a framework asked for by
name is missing, a training diverged, nothing was there to judge, a baseline is missing or does not fit), 4 the code
under test crashed or hung, 70 an error of this tool's own, which is no verdict."""


FOLDER = "cnn-compare-run-"  # temporary, of one command


@click.group(cls=Commands, epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="numpy-cnn-parity", message="%(version)s")
def cli():
    """Is this network the same network? Parity, accuracy and speed of one CNN in several frameworks."""


for _command in (
    comparing.list_command,
    comparing.parity,
    comparing.accuracy,
    speed.speed,
    checking.check,
    exchange.probes,
    exchange.judge,
    exchange.pair,
    exchange.record,
    checking.sharpness,
    checking.defects,
    grading.grade,
    grading.pack,
    comparing.report,
    sweep.sweep,
    comparing.convert,
    comparing.data_group,
):
    cli.add_command(_command)


@contextlib.contextmanager
def _own_folder():
    """Let all temporary files of this command, and of what it starts, lie in one folder, which goes with it.

    What commands left that were killed is swept: their folders, and on Linux their processes.
    """
    folder = None
    with contextlib.ExitStack() as held:
        with guard.undisturbed(), contextlib.suppress(OSError):  # no folder takes a file: told by what needs one
            place = tempfile.gettempdir()
            for left in plain_files.abandoned(place, FOLDER):
                guard.end_marked(left)
            folder = str(held.enter_context(plain_files.scratch(place, FOLDER)))
            before = {name: os.environ.get(name) for name in ("TMPDIR", guard.MARK)}
            os.environ.update({"TMPDIR": folder, guard.MARK: folder})
            tempfile.tempdir = folder
        try:
            yield
        finally:
            with guard.undisturbed():
                if folder is not None:
                    tempfile.tempdir = None
                    guard.end_marked(folder)
                    for name, value in before.items():
                        os.environ.pop(name) if value is None else os.environ.update({name: value})
                held.close()


@contextlib.contextmanager
def _swallowed_signals():
    """Let a signal come once more whose exception Python swallowed, as it does in a destructor or a weak reference."""
    before = sys.unraisablehook

    def hook(unraisable):
        error = unraisable.exc_value
        number = error.code - 128 if isinstance(error, SystemExit) and isinstance(error.code, int) else 0
        number = signal.SIGINT if isinstance(error, KeyboardInterrupt) else number
        if number not in signal.valid_signals():
            before(unraisable)
            return
        later = threading.Timer(0.01, os.kill, (os.getpid(), number))
        later.daemon = True  # here the exception would be swallowed again
        later.start()

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = before


def main(arguments=None):
    """Run the command line and end the process with its exit code."""
    try:
        for name, number in (("SIGTERM", 143), ("SIGHUP", 129)):
            if hasattr(signal, name):  # so that cells are ended on the way out
                signal.signal(getattr(signal, name), lambda *_, number=number: sys.exit(number))
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with _swallowed_signals(), _own_folder():
            code = cli.main(arguments, prog_name="python -m compare", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        code = 2
    except click.ClickException as error:
        text = io.StringIO()
        error.show(text)
        say(text.getvalue().rstrip("\n"), err=True)
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        say("interrupted", err=True)
        code = 130
    except Exception as error:  # what nobody foresaw is no verdict either, and must not end with a verdict's exit code
        code, line = failure.explain(error)
        say(line, err=True)
        if os.environ.get(failure.TRACEBACK):
            traceback.print_exception(error)
    sys.exit(code if isinstance(code, int) else 0)
