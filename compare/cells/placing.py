"""Cells placed on other machines, by a scheduler of Dask `distributed`.

Who places a cell does not change what it is: a worker gets the spec and the bytes of the files that it names, runs the
cell as a process of its own by the code that runs it here, and sends back what it left as bytes, which are judged here.
A cell that fails is not tried again; one whose worker died is, a bounded number of times.

Dask's schedulers and workers run what anybody sends them who reaches their port: docs/cluster.md says what follows.
"""

import asyncio
import contextlib
import hashlib
import logging
import socket
import time
import uuid
import warnings
from pathlib import Path
from urllib.parse import urlsplit

from compare import plain
from compare.cells import cells, forms, kept, placed, process
from compare.contract import UndecidedError

INSTALL = "pip install '.[cluster]' -c constraints.txt"
SLOT = "cell"  # the resource of which each worker has as many as it may run cells at once
START = f'dask worker ADDRESS --nworkers 4 --nthreads 1 --resources "{SLOT}=1"'
GREETING = 1 << 20  # bytes, less than which a scheduler says first of itself, after it has said how many
CONNECT = 6  # seconds for the scheduler to answer
PATIENCE = 120  # seconds without any worker, once there was one, before it is given up
AGAIN = 2  # times more that a cell is handed in whose workers died; each time the scheduler tries it several times
LOOK = 1.0  # seconds between two looks at which workers there are
ENDED = {"code": (int, None), "log": str, "result": (bytes, str), "partial": (bytes, str), "swept": [str]}


@contextlib.contextmanager
def on(address):
    """Let `cells.run` place the cells that may go anywhere by the scheduler at an address, until the block ends.

    Args:
        address: such as "tcp://host:8786", or "tls://host:8786" with what Dask's own configuration says of keys; None
            for this machine.
    Yields:
        the `Cluster`, or None for this machine.
    Raises:
        UndecidedError: no `distributed` here, no scheduler there, no worker with a slot, or another version of this
            project or of a package that numbers depend on.
    """
    if address is None:
        yield None
        return
    with _connected(address) as client:
        cluster = Cluster(client, address)
        token = cells.elsewhere.set(cluster)
        try:
            yield cluster
        finally:
            cells.elsewhere.reset(token)


@contextlib.contextmanager
def _connected(address):
    host, port = _parts(address)
    try:
        import dask
        import distributed
    except ModuleNotFoundError as error:
        raise UndecidedError(f"--scheduler: {error.name} is not installed; install: {INSTALL}") from error
    wanted = f"wanted a scheduler of Dask {distributed.__version__} within {CONNECT} s, started by: dask scheduler"
    for name in [name for name in logging.root.manager.loggerDict if name.partition(".")[0] == "distributed"]:
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what is lost is told in one line, and not by it
    try:
        keys = distributed.Security().get_connection_args("client")["ssl_context"]
        if address.startswith("tls") and keys is None:
            raise OSError("no certificate of ours, wanted one in distributed.comm.tls of Dask's configuration")
        # first by itself: of what is silent, or is no scheduler, a client of Dask does not let go
        with socket.create_connection((host, port), CONNECT) as probe:
            probe.settimeout(CONNECT)
            greeted = address.startswith("tls") or 0 < int.from_bytes(probe.recv(8), "little") < GREETING
        if not greeted:
            raise OSError("what answers there is none")
        client = distributed.Client(address, timeout=CONNECT, set_as_default=False)
    except Exception as error:  # what answers there may be anything, and keys as well
        raise UndecidedError(f"{address}: found none ({plain.line(error, 200)}), {wanted}") from error
    try:
        with dask.config.set({"distributed.comm.timeouts.connect": f"{CONNECT}s"}):
            _check(client, address)
            yield client
    finally:
        client.close(timeout=CONNECT)


def _parts(address):
    """(host, port) of an address. Raises ValueError."""
    with contextlib.suppress(ValueError):  # a port that is none
        parts = urlsplit(address)
        if parts.scheme in ("tcp", "tls") and parts.hostname and parts.port:
            return parts.hostname, parts.port
    raise ValueError(f"--scheduler: found {plain.line(address)!r}, wanted an address such as tcp://host:8786")


def _check(client, address):
    """Raise UndecidedError unless there are slots, and all machines have the versions of this one."""
    here = placed.versions()
    try:
        found = {"the scheduler": client.run_on_scheduler(placed.versions)}
    except Exception as error:  # it has no such module, or one that raises anything
        found = {"the scheduler": error}
    end = time.monotonic() + CONNECT
    while not sum(slots(client).values()):
        if time.monotonic() > end:
            raise UndecidedError(f"{address}: found no worker with the resource {SLOT!r}, wanted one: {START}")
        time.sleep(0.2)
    found |= client.run(placed.versions, on_error="return")
    for where, there in found.items():
        if wrong := placed.other(here, there):
            raise UndecidedError(f"{address}: {where}: {wrong}")


def slots(client):
    """{address of a worker: cells that it may run at once}."""
    workers = client.scheduler_info(n_workers=-1)["workers"]
    return {name: int(about["resources"].get(SLOT, 0)) for name, about in workers.items()}


class Cluster:
    """Starts cells by a client of Dask; `cells.run` asks it as it starts processes here."""

    def __init__(self, client, address):
        self.client, self.address = client, address
        self.files: dict = {}  # the scheduler holds each once, and gives it to workers that lost it
        self.looked, self.most, self.seen = -LOOK, 1, time.monotonic()

    def room(self):
        """How many cells may be handed in at once: two for each slot, so that none waits for the way here and back."""
        if time.monotonic() > self.looked + LOOK:
            self.looked = time.monotonic()
            if found := self.slots():
                self.most, self.seen = 2 * found, time.monotonic()
        return self.most

    def slots(self):
        """How many cells all workers may run at once."""
        return sum(slots(self.client).values())

    def start(self, spec, module):
        """A cell that was handed in."""
        return _Away(self, spec, module)

    def file(self, path):
        """A future of what `placed.packed` makes of a file or folder."""
        about = Path(path).stat()
        if (known := (path, about.st_mtime_ns, about.st_size)) not in self.files or Path(path).is_dir():
            content = placed.packed(Path(path))
            name = hashlib.sha256(content).hexdigest()
            self.files[known] = self.submit(bytes, content, key=f"file-{name}")
        return self.files[known]

    def submit(self, *given, **settings):
        """`Client.submit`, without its remark that what is sent is large."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Sending large graph", UserWarning)
            return self.client.submit(*given, pure=False, **settings)

    def gone(self):
        """What is wrong with the cluster itself, or ""."""
        self.room()
        if self.client.status != "running":
            return f"{self.address}: the scheduler is gone"
        if time.monotonic() > self.seen + PATIENCE:
            return f"{self.address}: found no worker with the resource {SLOT!r} for {PATIENCE} s"
        return ""


class _Away:
    """One cell on some worker, with the methods of `process.Process`."""

    def __init__(self, cluster, spec, module):
        self.cluster, self.spec, self.module = cluster, spec, module
        self.files = {name: cluster.file(value) for name, value in spec.items() if _travels(value)}
        self.left = AGAIN
        self._hand_in()

    def _hand_in(self):
        spec = {name: value for name, value in self.spec.items() if name not in self.files}
        called = {name: (Path(self.spec[name]).name, Path(self.spec[name]).is_dir()) for name in self.files}
        given = (spec, self.files, called, self.module, placed.versions())
        self.future = self.cluster.submit(placed.carry_out, *given, key=f"cell-{uuid.uuid4().hex}", resources={SLOT: 1})

    def poll(self):
        """What it left, a `process.Ended`, or None while it runs or waits.

        Raises:
            UndecidedError: the scheduler is gone, or there are no workers any more, or other versions.
            OSError: a worker has no room for temporary files.
        """
        if self.future.status == "pending":
            if wrong := self.cluster.gone():
                raise UndecidedError(wrong)
            return None
        try:
            found = self.future.result(timeout=CONNECT)
        except TimeoutError:  # its worker died with the answer, and the cell is run again
            return None
        except (Exception, asyncio.CancelledError) as error:  # of the task, or of the way to it
            return self._failed(error)
        return self._answer(found)

    def _failed(self, error):
        """What follows from an error that is not the cell's: None where it is handed in again."""
        if self.future.status in ("cancelled", "lost"):  # the scheduler died, or began anew
            raise UndecidedError(f"{self.cluster.address}: the scheduler is gone, with what was handed in") from error
        if type(error).__name__ != "KilledWorker":
            if isinstance(error, OSError) and error.errno is not None:
                raise OSError(error.errno, f"on a worker: {error.strerror}", error.filename) from error
            raise UndecidedError(f"{self.cluster.address}: no cell can be run: {type(error).__name__}: {error}")
        return self._again(plain.line(error, 300))

    def _again(self, why):
        """None, and it is handed in again; or, where that has been often enough, that it is lost."""
        if self.left:
            self.left -= 1
            self._hand_in()
            return None
        times = f"handed in {AGAIN + 1} times, and each time its workers died"
        return process.Ended(None, "", "", "", [], f"{times}, the last time {why}")

    def _answer(self, found):
        if found is None:
            return self._again("it closed")
        if isinstance(found, str):
            raise UndecidedError(plain.line(found))
        if not forms.fits(found, ENDED):
            return process.Ended(0, "", "no result of the form that a worker gives", "", [])
        return process.Ended(**found)

    def kill(self):
        """Take it back; its worker ends it."""
        self.future.release()


def _travels(value):
    """Whether a value of a spec names a file or a folder of this machine."""
    return kept.is_file(value) or (isinstance(value, str) and Path(value).is_absolute() and Path(value).is_dir())
