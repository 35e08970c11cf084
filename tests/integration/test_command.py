"""`record … -- COMMAND`: environment, status, signals."""

import json
import signal
import subprocess
import sys

import pytest

from rig import raw
from rig.process import binary, show

SCRIPT = """
import json, os, sys
print(json.dumps({k: v for k, v in os.environ.items() if k.startswith("WSTAPE_")}))
print("talk", file=sys.stderr)
sys.exit(int(sys.argv[1]))
"""


def record_command(tmp_path, upstream, *command, **kw):
    tape = tmp_path / "c.wstape"
    p = subprocess.run([binary(), "record", "-u", upstream, "-l", "ws://127.0.0.1:0", "-o",
                        tape, "--", *map(str, command)], capture_output=True, text=True,
                       timeout=60, **kw)
    return p, tape


@pytest.mark.parametrize("status", [0, 1, 7])
def test_command(tmp_path, echo_server, status):
    """Its status is passed on, its output too, and it knows where to connect."""
    p, tape = record_command(tmp_path, echo_server.url(), sys.executable, "-c", SCRIPT,
                             status)
    assert p.returncode == status, p
    env = json.loads(p.stdout)
    port = env["WSTAPE_URL"].rsplit(":", 1)[1].rstrip("/")
    assert env["WSTAPE_URL"].startswith("ws://127.0.0.1:") and int(port) > 0
    assert env["WSTAPE_HTTP_URL"].startswith("http://127.0.0.1:" + port)
    assert "talk" in p.stderr
    assert show(tape)[-1]["record"] == "summary"


def test_command_talks(tmp_path, echo_server):
    code = ("import os,sys; sys.path.insert(0, sys.argv[1])\n"
            "from rig import raw\n"
            "port = int(os.environ['WSTAPE_URL'].split(':')[2].split('/')[0])\n"
            "c = raw.EchoClient(port, '/from/command'); c.echo(b'hello'); c.close()\n")
    lib = raw.__file__.rsplit("/", 2)[0]
    p, tape = record_command(tmp_path, echo_server.url(), sys.executable, "-c", code, lib)
    assert p.returncode == 0, p.stderr
    objects = show(tape)
    assert [o["path"] for o in objects if o["record"] == "connection"] == ["/from/command"]
    assert sum(o["record"] == "message" for o in objects) == 4


def test_command_gets_the_path_of_the_upstream(tmp_path, echo_server):
    p, _ = record_command(tmp_path, echo_server.url() + "/api/ws", "sh", "-c",
                          "echo $WSTAPE_URL")
    assert p.returncode == 0 and p.stdout.strip().endswith("/api/ws"), p


def test_command_that_is_not_there(tmp_path, echo_server):
    p, _ = record_command(tmp_path, echo_server.url(), "/no/such/program")
    assert p.returncode == 3 and "/no/such/program" in p.stderr
    assert "no such file" in p.stderr.lower()


def test_command_killed_by_a_signal(tmp_path, echo_server):
    p, tape = record_command(tmp_path, echo_server.url(), "sh", "-c", "kill -9 $$")
    assert p.returncode == 128 + 9
    assert show(tape)[-1]["record"] == "summary"


@pytest.mark.parametrize("how, status", [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_signals_reach_the_command(tmp_path, echo_server, how, status):
    """The command says what it got, in its own time; its end ends the recording."""
    code = ("import signal, sys\n"
            "def on(n, _): print('got', n, flush=True); sys.exit(128 + n)\n"
            "signal.signal(signal.SIGTERM, on); signal.signal(signal.SIGINT, on)\n"
            "print('ready', flush=True); signal.pause()\n")
    p = subprocess.Popen([binary(), "record", "-u", echo_server.url(), "-l",
                          "ws://127.0.0.1:0", "-o", tmp_path / "t.wstape", "--",
                          sys.executable, "-c", code], stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, text=True)
    assert p.stdout.readline() == "ready\n"
    p.send_signal(how)
    out, err = p.communicate(timeout=30)
    assert out == f"got {int(how)}\n" and p.returncode == status, err
    assert show(tmp_path / "t.wstape")[-1]["record"] == "summary"
