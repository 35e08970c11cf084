"""Limits, hosts and usage errors of `record`."""

import os
import stat

import pytest

from rig import frames, raw
from rig.process import run


def test_max_connections(record, listener):
    w = record(listener.url(), "--max-connections", "3")
    pairs = [raw.upgrade(w.port, listener) for _ in range(3)]
    for _ in range(6):  # however many were refused before
        extra = raw.connect(w.port)
        extra.send(frames.request("/extra"))
        assert extra.read_head().startswith(b"HTTP/1.1 503 ")
        extra.read_end()
        assert b'"error"' in extra.got
        extra.close()
    for end in pairs[0]:
        end.fin()
    for end in pairs[0]:
        end.read_end()
        end.close()
    for _ in range(500):  # its place is free a moment after its ends have seen the FIN
        again = raw.connect(w.port)
        again.send(frames.request("/again"))
        if listener in raw.any_readable([again, listener]):
            break
        assert again.read_head().startswith(b"HTTP/1.1 503 ")
        again.close()
    server = listener.take()
    server.send(frames.response(server.read_head()))
    assert again.read_head().startswith(b"HTTP/1.1 101")
    for end in [again, server, *pairs[1], *pairs[2]]:
        end.close()


def test_idle_timeout(record, listener):
    w = record(listener.url(), "--idle-timeout", "1s")
    client, server = raw.upgrade(w.port, listener, "/idle")
    at_c, at_s = len(client.got), len(server.got)
    busy = raw.upgrade(w.port, listener, "/busy")
    beat = frames.frame(frames.PING, mask=frames.MASK)
    while not raw.readable(client, 0.2):
        busy[0].send(beat)
        busy[1].read_to(len(busy[1].got) + len(beat))
    for end, at in ((client, at_c), (server, at_s)):
        end.read_end()
        rest = bytes(end.got[at:])
        assert not rest or rest[0] == 0x88
        end.close()
    busy[0].send(beat)
    busy[1].read_to(len(busy[1].got) + len(beat))
    for end in busy:
        end.close()
    w.stop()
    shown = w.show()
    c = shown.connection("/idle")
    assert {e["how"] for e in shown.all("end", connection=c)} == {"timeout"}


@pytest.mark.parametrize("sync", ["none", "always", "100ms"])
def test_sync(record, echo_server, sync):
    """fsync costs time, and changes nothing else."""
    w = record(echo_server.url(), "--sync", sync)
    client = raw.EchoClient(w.port)
    for i in range(20):
        client.echo(b"%d" % i)
    client.close()
    w.stop()
    assert len(w.show().all("message", kind="binary")) == 40
    assert run("verify", w.tape).returncode == 0


@pytest.mark.parametrize("keep", [False, True])
def test_host_and_origin(record, listener, keep):
    w = record(listener.url(), *["--keep-host"] * keep)
    own = f"http://localhost:{w.port}".encode()
    for origin, mapped in ((own, True), (b"https://elsewhere.test", False),
                           (b"null", False), (b"http://localhost:1", False)):
        client = raw.connect(w.port)
        head = frames.request("/o", f"localhost:{w.port}", extra=[b"Origin: " + origin])
        client.send(head)
        server = listener.take()
        got = server.read_head()
        upstream = f"127.0.0.1:{listener.port}".encode()
        wanted = head
        if not keep:
            wanted = wanted.replace(f"Host: localhost:{w.port}".encode(),
                                    b"Host: " + upstream)
            if mapped:
                wanted = wanted.replace(b"Origin: " + own, b"Origin: http://" + upstream)
        assert got == wanted
        client.close()
        server.close()


@pytest.mark.parametrize("args, word", [
    (["--upstrem", "ws://x"], "--upstream"),
    ([], "--upstream"),
    (["-u", "localhost:8000"], "ws://"),
    (["-u", "ftp://x"], "ftp"),
    (["-u", "ws://x:99999"], "99999"),
    (["-u", "ws://x", "--idle-timeout", "soon"], "soon"),
    (["-u", "ws://x", "--on-write-error", "retry"], "retry"),
    (["-u", "ws://x", "--sync", "often"], "often"),
    (["-u", "ws://x", "--sync", "86401"], "86401"),
    (["-u", "ws://x", "--idle-timeout", "87841h"], "87841h"),
    (["-u", "ws://x", "--max-connections", "1000001"], "from 1 to 1000000"),
    (["-u", "ws://x", "-l", "wss://127.0.0.1:0", "--tls-cert", "/no/cert.pem"],
     "/no/cert.pem"),
])
def test_usage(tmp_path, args, word):
    p = run("record", *args, cwd=tmp_path)
    assert p.returncode in (2, 3) and word in p.stderr, p
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("option, size, says", [
    ("--faults", 4 * 2**20 + 1, "rules are at most 4M long"),
    ("--tls-cert", 16 * 2**20 + 1, "it is larger than 16M"),
    ("--upstream-ca", 16 * 2**20 + 1, "it is larger than 16M"),
])
def test_files_that_are_too_large(tmp_path, option, size, says):
    with open(tmp_path / "large", "wb") as file:
        file.truncate(size)
    p = run("record", "-u", "wss://127.0.0.1:9", "-l", "wss://127.0.0.1:0", "-o",
            tmp_path / "t.wstape", option, tmp_path / "large",
            env={**os.environ, "WSTAPE_CA_DIR": str(tmp_path / "ca")})
    assert p.returncode in (2, 3) and p.stderr.endswith(f"large: {says}\n"), p
    assert not (tmp_path / "t.wstape").exists()


def test_local_authority(tmp_path, record, echo_server, pki):
    """wss:// without a certificate: a leaf of the authority that `wstape ca` shows."""
    env = {"WSTAPE_CA_DIR": str(tmp_path / "ca")}
    w = record(echo_server.url(), listen="wss://127.0.0.1:0", env=env)
    p = run("ca", "--path", env={**os.environ, **env})
    path = p.stdout.strip()
    assert p.returncode == 0 and path == str(tmp_path / "ca" / "ca.pem")
    assert stat.S_IMODE(os.stat(tmp_path / "ca" / "ca-key.pem").st_mode) == 0o600
    client = raw.EchoClient(w.port, tls=pki.trusting(path))
    client.echo()
    client.close()
    told = run("ca", env={**os.environ, **env})
    assert told.returncode == 0 and path in told.stdout
