"""What a confined process can do, and what it cannot: asked of the process itself."""

import json
import os
import socket
import subprocess
import sys

import pytest

from compare.cells import confine
from compare.grading import isolation

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux confines")
TRIED = """
import importlib.util, json, os, socket, sys
spec = importlib.util.spec_from_file_location("confine", sys.argv[1])
confine = importlib.util.module_from_spec(spec)
spec.loader.exec_module(confine)
import numpy
held = confine.confine()
def tried(what):
    try:
        what()
    except OSError as error:
        return type(error).__name__
    return "done"
tries = {name: tried(eval("lambda: " + code)) for name, code in json.loads(sys.argv[2]).items()}
print(json.dumps({"held": held, **tries}))
"""


@pytest.fixture(scope="module")
def planned():
    return isolation.tried(isolation.plan())


def confined(planned, **tries):
    """What a confined process says of expressions by name: "done", or the error."""
    plan, not_limited = planned
    if any(words in not_limited for words in (isolation.WORDS["files"], isolation.WORDS["signals"])):
        pytest.skip("this kernel has no Landlock, or an old one: what does not hold is told by `grade`")
    done = subprocess.run(
        [sys.executable, "-P", "-c", TRIED, confine.__file__, json.dumps(tries)],
        env={**os.environ, confine.CONFINE: json.dumps(plan)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@LINUX
def test_files(planned, tmp_path):
    (tmp_path / "secret").write_text("x")
    found = confined(
        planned,
        read=f"open({str(tmp_path / 'secret')!r}).read()",
        listed=f"os.listdir({str(tmp_path)!r})",
        write=f"open({str(tmp_path / 'new')!r}, 'w')",
        memory_file="open('/dev/shm/new', 'w')",
        remove=f"os.remove({str(tmp_path / 'secret')!r})",
        ours=f"open({str(isolation.ROOT / 'numpy_cnn' / 'conv.py')!r})",
        verdict=f"open({str(isolation.ROOT / 'compare' / 'verdict' / 'definition.py')!r})",
        numpy="open(numpy.__file__)",
        nothing="open('/dev/null', 'w')",
        library="__import__('sqlite3')",
    )
    refused = {name for name, outcome in found.items() if outcome == "PermissionError"}
    assert refused == {"read", "listed", "write", "memory_file", "remove", "ours", "verdict"}
    assert (tmp_path / "secret").read_text() == "x" and not (tmp_path / "new").exists()


@LINUX
def test_processes_and_network(planned):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
        found = confined(
            planned,
            ended=f"os.kill({os.getpid()}, 0)",
            parent="os.kill(os.getppid(), 0)",
            memory=f"open('/proc/{os.getpid()}/mem')",
            environment=f"open('/proc/{os.getpid()}/environ').read()",
            network=f"socket.create_connection({address!r}, 1)",
            outside="socket.create_connection(('192.0.2.1', 80), 1)",
        )
    held = found.pop("held")
    assert held["files"] and held["signals"] and held["network"] and held["memory"]
    assert "done" not in found.values(), found


@LINUX
def test_more_memory_than_it_may_is_refused(planned):
    plan, _ = planned
    code = "import numpy; numpy.ones(1 << 29)"
    found = subprocess.run(
        [sys.executable, "-c", TRIED.replace("import numpy\n", "", 1) + code, confine.__file__, "{}"],
        env={**os.environ, confine.CONFINE: json.dumps(plan)},
        capture_output=True,
        text=True,
    )
    assert "MemoryError" in found.stderr, found.stderr


def test_nothing_is_given_up_where_nobody_asks():
    code = f"{TRIED.split('import numpy')[0]}print(confine.confine())"
    environment = {name: value for name, value in os.environ.items() if name != confine.CONFINE}
    arguments = [sys.executable, "-c", code, confine.__file__]
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == "{}"


def test_frameworks_are_hidden_but_those_that_are_allowed():
    hidden = " ".join(isolation.plan(user="")["hide"])
    assert "numpy_cnn" in hidden and f"{os.sep}torch " in f"{hidden} "
    allowed = " ".join(isolation.plan(user="", frameworks=("torch",))["hide"])
    assert f"{os.sep}torch " not in f"{allowed} " and "tensorflow" in allowed


def test_a_plan_is_the_same_in_every_process():
    """It is part of what is known again by --resume."""
    code = "import json; from compare.grading import isolation; print(json.dumps(isolation.plan(user='')))"
    plans = set()
    for seed in "123":
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(isolation.ROOT)}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        plans.add(done.stdout)
    assert len(plans) == 1


def test_only_root_becomes_somebody_else():
    if os.geteuid() == 0:
        with pytest.raises(ValueError, match="wanted the name of a user of this machine"):
            isolation.plan(user="no-such-user-here")
        assert isolation.plan(user="nobody")["user"]
    else:
        with pytest.raises(ValueError, match="only root may become another user"):
            isolation.plan(user="nobody")
    assert isolation.plan(user="")["user"] is None


def test_a_user_who_cannot_run_this_is_refused_where_asked_for_and_left_out_where_not(monkeypatch):
    monkeypatch.setattr(
        isolation, "_holding", lambda planned: None if planned["user"] else dict.fromkeys(confine.ALL, True)
    )
    monkeypatch.setattr(isolation, "_let_through", lambda: None)
    planned = {"user": [65534, 65534]}
    assert isolation.tried(planned) == ({"user": None}, [])
    with pytest.raises(ValueError, match="^user: found 'nobody', wanted one who can run "):
        isolation.tried(planned, "nobody")


def test_what_does_not_hold_is_told(monkeypatch):
    monkeypatch.setattr(isolation, "_holding", lambda planned: dict.fromkeys(confine.ALL, False) | {"tcp": True})
    _, not_limited = isolation.tried({"user": None})
    assert len(not_limited) == 5 and "it has the network, but no TCP" in not_limited
    monkeypatch.setattr(isolation, "_holding", lambda planned: {})
    assert "it has the network" in isolation.tried({"user": None})[1]
