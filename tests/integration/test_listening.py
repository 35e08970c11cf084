"""Where wstape listens, and where the tape goes."""

import os
import socket
import stat
import subprocess
import threading
import time

import pytest

from rig import raw
from rig.process import Wstape, binary, run, show


def has_ipv6():
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"] + ["[::1]"] * has_ipv6())
def test_addresses(record, host):
    bare = host.strip("[]")
    with raw.EchoServer("::1" if bare == "::1" else "127.0.0.1") as server:
        w = record(f"ws://{host}:{server.port}", listen=f"ws://{host}:0")
        client = raw.EchoClient(w.port, "/six", host=bare)
        client.echo()
        client.close()
        w.stop()
        host_line = [line for line in server.heads[0].split(b"\r\n")
                     if line.lower().startswith(b"host:")]
        assert host_line == [f"Host: {host}:{server.port}".encode()]
    one = w.show().one("connection")
    assert one["client"].startswith("[::1]:" if bare == "::1" else ("127.0.0.1:", "[::1]:"))


def test_port_file_is_written_whole(record, echo_server):
    w = record(echo_server.url())
    assert w.port_file.read_text() == f"{w.port}\n"
    assert sorted(p.name for p in w.folder.iterdir()) == ["port", "stderr.txt", "t.wstape"]


def test_port_in_use(tmp_path, echo_server):
    with raw.Listener() as taken:
        p = run("record", "-u", echo_server.url(), "-l", f"ws://127.0.0.1:{taken.port}",
                "-o", tmp_path / "t.wstape")
    assert p.returncode == 3 and str(taken.port) in p.stderr
    assert "in use" in p.stderr


# ---- the tape as a file ----

def test_mode_0600(record, echo_server):
    old = os.umask(0)
    try:
        w = record(echo_server.url())
    finally:
        os.umask(old)
    assert stat.S_IMODE(w.tape.stat().st_mode) == 0o600


def test_a_tape_is_never_overwritten(record, echo_server, tmp_path):
    w = record(echo_server.url())
    w.stop()
    before = w.tape.read_bytes()
    with pytest.raises(RuntimeError) as e:
        Wstape(tmp_path, echo_server.url(), output=w.tape)
    assert "ended with 3" in str(e.value) and w.tape.name in str(e.value)
    assert w.tape.read_bytes() == before


def test_default_name(tmp_path, echo_server):
    p = subprocess.run([binary(), "record", "-u", echo_server.url(), "-l",
                        "ws://127.0.0.1:0", "--", "true"], cwd=tmp_path, timeout=60)
    assert p.returncode == 0
    names = [f.name for f in tmp_path.glob("session-*.wstape")]
    assert len(names) == 1 and names[0].endswith("Z.wstape")


def test_default_names_are_used_up(tmp_path, echo_server):
    """There are 99 within one second; then it says what to do."""
    now = int(time.time())
    for second in range(now, now + 10):
        stem = time.strftime("session-%Y%m%dT%H%M%SZ", time.gmtime(second))
        for n in range(1, 100):
            name = f"{stem}-{n}.wstape" if n > 1 else f"{stem}.wstape"
            (tmp_path / name).write_bytes(b"a tape")
    p = run("record", "-u", echo_server.url(), "-l", "ws://127.0.0.1:0", "--", "true",
            cwd=tmp_path)
    assert p.returncode == 3
    assert "Z-99.wstape exists: choose another name with -o" in p.stderr
    assert {f.read_bytes() for f in tmp_path.iterdir()} == {b"a tape"}


def test_tape_to_stdout(tmp_path, echo_server):
    """-o - : the tape is what comes out, and nothing else."""
    out, into = os.pipe()
    taken = bytearray()

    def drain():
        while data := os.read(out, 65536):
            taken.extend(data)

    thread = threading.Thread(target=drain)
    thread.start()
    w = Wstape(tmp_path, echo_server.url(), output="-", stdout=into)
    os.close(into)
    client = raw.EchoClient(w.port, "/pipe")
    client.echo(b"through a pipe")
    client.close()
    w.stop()
    thread.join()
    os.close(out)
    (tmp_path / "p.wstape").write_bytes(taken)
    objects = show(tmp_path / "p.wstape")
    assert [o["path"] for o in objects if o["record"] == "connection"] == ["/pipe"]
    assert objects[-1]["record"] == "summary"
    piped = run("show", "--json", "-", text=False, stdin=open(tmp_path / "p.wstape", "rb"))
    assert piped.returncode == 0 and len(piped.stdout.splitlines()) == len(objects)
