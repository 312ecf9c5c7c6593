"""A scheduler of Dask and its workers, as processes of this machine that end with the block that started them."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class Cluster:
    """A scheduler and workers with one slot each; logs and temporary files lie in the folder."""

    def __init__(self, folder):
        self.folder, self.processes, self.port = Path(folder), {}, 0
        self.folder.mkdir(exist_ok=True)
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "TMPDIR": str(self.folder),
            "DASK_LOGGING__DISTRIBUTED": "info",
        }

    def start(self, name, *arguments, **variables):
        """Start one process, under a name."""
        assert name not in self.processes, f"{name} is there already"
        with (self.folder / f"{name}.log").open("ab") as log:
            command = [sys.executable, "-m", *arguments, "--host", "127.0.0.1", "--no-dashboard"]
            environment = {**self.environment, **variables}
            self.processes[name] = subprocess.Popen(
                command, cwd=self.folder, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )

    def schedule(self):
        """Start the scheduler, at the port that it had before; return its address."""
        about = self.folder / "scheduler.json"
        about.unlink(missing_ok=True)
        given = ("--port", str(self.port), "--scheduler-file", str(about))
        self.start("scheduler", "distributed.cli.dask_scheduler", *given)
        end = time.monotonic() + 60
        while time.monotonic() < end:
            with contextlib.suppress(FileNotFoundError, json.JSONDecodeError):
                self.address = json.loads(about.read_text())["address"]
                self.port = int(self.address.rpartition(":")[2])
                return self.address
            time.sleep(0.05)
        raise TimeoutError((self.folder / "scheduler.log").read_text())

    def work(self, name, slots=1, nanny=False, **variables):
        """Start a worker; a nanny starts it again where it dies."""
        one = ("--nthreads", "1", "--name", name, "--local-directory", str(self.folder))
        one += () if nanny else ("--no-nanny",)
        one += ("--resources", f"cell={slots}") if slots else ()
        self.start(name, "distributed.cli.dask_worker", self.address, *one, **variables)

    def kill(self, name):
        """Kill a process, as a machine that loses its power."""
        process = self.processes.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextlib.contextmanager
def cluster(folder, *workers, **variables):
    """A scheduler and workers of these names, in an environment with more variables."""
    made = Cluster(folder)
    made.environment |= variables
    try:
        made.schedule()
        for name in workers:
            made.work(name)
        yield made
    finally:
        for name in list(made.processes):
            made.kill(name)
