"""Somebody's code in a process of its own, spoken to from here: every call of it goes through `Stranger.ask`.

What comes back is a value, or one of three errors that say whose fault it is: `RaisedError`, `CrashedError`,
`HungError`. After a crash or a hang the next call starts a fresh process; what was made in the old one is `stale`.
"""

import contextlib
import os
import selectors
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from compare import plain
from compare.cells import forms, guard
from compare.cells.cells import THREAD_VARIABLES
from compare.checking.process import answers, caller, messages
from compare.checking.process.things import (
    AbsentError,
    CrashedError,
    HungError,
    RaisedError,
    SpentError,
    StaleError,
    Standing,
    StrangersError,
    Thing,
)

PROJECT = Path(__file__).resolve().parents[3]
SHARE = 4  # of the time that all of the code has, one call has this part
TAIL = 4000  # bytes of what the code prints


class Stranger:
    """The process, and the modules that were loaded in it.

    Args:
        folders: for the front of the search path of the code; the first is where it stands.
        argv: what `sys.argv` is to be.
        threads: of NumPy in there.
        limit: seconds for all calls together; one call has a SHARE of it.
    """

    def __init__(self, folders, argv, threads=1, limit=60.0):
        self.folders, self.argv, self.threads = [str(folder) for folder in folders], argv, threads
        self.limit, self.spent, self.short = limit, 0.0, False  # whether a call found too little time left
        self.worked = self.ended = 0.0  # seconds of processor time in all, and of the processes before this one
        self.generation = 0
        self.process: Any = None
        self.loaded: list = []  # requests that loaded modules: asked again in a fresh process
        self.dropped: list = []
        self.unread: list = []  # which thing each request is about that was told and not yet answered
        self.broken: dict = {}  # what was raised of these, by thing
        self.handed: dict = {}  # kinds of what each thing was handed that stands for something
        self.numbered = 0
        self.log = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process, in __exit__
        self.told: dict = {"ours": set(), "frameworks": set(), "seeded": set(), "absent": set()}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """End the process and forget what it printed."""
        self.end()
        self.log.close()

    def start(self):
        """A fresh process with the same modules."""
        ask_read, ask_write = os.pipe()
        answer_read, answer_write = os.pipe()
        arguments = [str(ask_read), str(answer_write), str(PROJECT), *self.argv]
        environment = {**os.environ, **dict.fromkeys(THREAD_VARIABLES, str(self.threads)), "PYTHONHASHSEED": "0"}
        environment["MPLBACKEND"] = "agg"
        self.process = subprocess.Popen(
            [sys.executable, "-P", caller.__file__, *arguments],
            stdin=subprocess.PIPE,  # closes with this process, whatever becomes of it
            stdout=self.log,
            stderr=subprocess.STDOUT,
            env=environment,
            pass_fds=(ask_read, answer_write),
            start_new_session=True,
        )
        for end in (ask_read, answer_write):
            os.close(end)
        self.asking, self.answers = _TimedOut(ask_write), _Timed(answer_read)
        self.generation += 1
        self.dropped, self.unread, self.broken = [], [], {}
        self._exchange({"do": "path", "folders": self.folders}, self.limit)
        for request in self.loaded:
            self._exchange(request, self.limit)

    def end(self):
        """End the process and all that it started."""
        if self.process is None:
            return
        guard.end(self.process)
        self.ended = self.worked
        for pipe in (self.asking, self.answers):
            with contextlib.suppress(OSError):  # what could not be written any more
                pipe.close()
        self.process = None

    def ask(self, do, **request):
        """The value of one request.

        Raises:
            StrangersError: one of its three kinds.
        """
        if self.process is None:
            self.start()
        if self.dropped:
            things, self.dropped = self.dropped, []
            self.tell("forget", things=things)
        self._note(request)
        seconds, begin = self._share(), time.monotonic()
        try:
            return self._exchange({"do": do, **request}, seconds)
        finally:
            self.spent += time.monotonic() - begin

    def _share(self):
        """The seconds that one call has."""
        left = self.limit - self.spent
        if left <= 0:
            self._short()
        return min(left, self._usual())

    def _usual(self):
        return min(self.limit, max(1.0, self.limit / SHARE))

    def _short(self):
        self.short = True
        raise SpentError(f"no time is left of {self.limit:g} s") from None

    def _hung(self, seconds):
        self.end()
        if seconds < 0.99 * self._usual():  # others have taken the rest
            self._short()
        raise HungError(f"no answer within {seconds:.3g} s") from None

    def tell(self, do, **request):
        """As `ask`, of what gives no value: what it raises is raised by what is next asked of the same thing."""
        if self.process is None:
            self.start()
        self._note(request)
        begin = time.monotonic()
        self.asking.end = begin + self._share()
        try:
            messages.send(self.asking, {"do": do, **request}, _keep)
        except TimeoutError:  # before OSError, which it is one of
            self._hung(self.asking.end - begin)
        except OSError:  # nobody reads any more: the next answer that is waited for says so
            pass
        finally:
            self.spent += time.monotonic() - begin
        self.unread.append(request.get("number", request.get("thing")))

    def _note(self, request):
        values = [*request.get("arguments", []), *request.get("keywords", {}).values()]
        if kinds := {value.kind for value in values if isinstance(value, Standing)}:
            self.handed.setdefault(request.get("number", request.get("thing")), set()).update(kinds)

    def load(self, do, **request):
        """As `ask`, of what loads a module: it is loaded again whenever the process is a fresh one."""
        value = self.ask(do, **request)
        self.loaded.append({"do": do, **request})
        return value

    def _exchange(self, request, seconds):
        """Send and receive within a time; ends the process where that fails."""
        try:
            self.asking.end = self.answers.end = time.monotonic() + seconds
            messages.send(self.asking, request, _keep)
            for thing in self.unread:
                told = answers.checked(None, self._receive())
                if told is None or "raised" in told:
                    self.broken.setdefault(thing, told)  # of several the first is told
            self.unread = []
            answer = answers.checked(request, self._receive())
            if None in self.broken.values():
                answer = None
            elif isinstance(request.get("thing"), int):
                answer = self.broken.get(request["thing"], answer)
        except TimeoutError:
            self._hung(seconds)
        except messages.MalformedError as error:
            self.end()
            raise CrashedError(f"the process gave an answer that is none ({plain.line(error, 200)})") from None
        except OSError:  # nobody reads any more
            answer = None
        if answer is None:
            guard.end(self.process)  # which may have closed its pipes and gone on
            code = self.process.returncode
            self.end()
            raise CrashedError(f"the process ended with {guard.ending(code)} and left no result")
        if "raised" in answer:
            raised = answer["raised"]
            absent = {"AbsentError", "ModuleNotFoundError"} & set(raised["bases"])
            raise (AbsentError if absent else RaisedError)(f"{raised['type']}: {raised['texts'][0]}", raised)
        return answer["value"]

    def _receive(self):
        answer = messages.receive(self.answers, self._known)
        worked = answer.get("worked") if isinstance(answer, dict) else None
        if isinstance(worked, float):  # one that lies of it may work on until the time of all calls is over
            self.worked = self.ended + worked
        return answer

    def _known(self, message):
        if not forms.fits(message, {"of": int, "type": str}):
            raise ValueError("found no number of a thing")
        return Thing(self, message["of"], message["type"])

    def number(self):
        """A number for a thing that is to be made: below 0, since those that the process gives are above."""
        self.numbered -= 1
        return self.numbered

    def noticed(self):
        """Add what the process has noticed of this project, of frameworks and of seeds to `told`."""
        with contextlib.suppress(StrangersError):  # one that is gone tells nothing
            for name, found in self.ask("told").items():
                self.told[name] |= set(found)

    def printed(self):
        """The end of what the code printed."""
        self.log.seek(0, os.SEEK_END)
        self.log.seek(max(0, self.log.tell() - TAIL))
        return self.log.read().decode(errors="replace")


class _Timed:
    """A pipe that is read until a point in time, `end`, and from which more is taken at once than is asked for."""

    def __init__(self, pipe):
        self.pipe, self.end, self.kept = pipe, 0.0, b""
        self.selector = selectors.DefaultSelector()
        self.selector.register(pipe, selectors.EVENT_READ)

    def read(self, size):
        """At most that many bytes; none at the end. Raises TimeoutError."""
        if not self.kept:
            if not self.selector.select(max(0.0, self.end - time.monotonic())):
                raise TimeoutError
            self.kept = os.read(self.pipe, 1 << 16)
        found, self.kept = self.kept[:size], self.kept[size:]
        return found

    def close(self):
        """Close the pipe."""
        self.selector.close()
        os.close(self.pipe)


class _TimedOut:
    """A pipe that is written to until a point in time, `end`: the code may read nothing any more."""

    def __init__(self, pipe):
        self.pipe, self.end = pipe, 0.0
        os.set_blocking(pipe, False)
        self.selector = selectors.DefaultSelector()
        self.selector.register(pipe, selectors.EVENT_WRITE)

    def write(self, content):
        """All of it. Raises TimeoutError, or OSError where nobody reads any more."""
        left = memoryview(content)
        while left:
            try:
                left = left[os.write(self.pipe, left) :]
            except BlockingIOError:  # it is full
                if not self.selector.select(max(0.0, self.end - time.monotonic())):
                    raise TimeoutError from None

    def flush(self):
        """Nothing is kept back."""

    def close(self):
        """Close the pipe."""
        self.selector.close()
        os.close(self.pipe)


def _keep(thing):
    """What is handed to the code and is no value: something of its own, or a type."""
    if isinstance(thing, Thing):
        if thing.generation != thing.stranger.generation:
            raise StaleError("made in a process that is no more")
        return {"$": "ref", "of": thing.number}
    if isinstance(thing, Standing):
        return {"$": "standing", "of": thing.kind}
    if isinstance(thing, type) and issubclass(thing, np.generic):
        return {"$": "dtype", "of": np.dtype(thing).name}
    raise TypeError(f"found {type(thing).__name__}, wanted a value that can be sent")
