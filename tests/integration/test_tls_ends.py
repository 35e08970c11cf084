"""Ends under TLS: a close_notify stays one, a bare FIN stays a truncation, and bytes pass
through both legs as they are."""

import socket

import pytest

from identity_cases import cut_short, illegal, legal
from rig import frames, raw
from rig.tape import CLIENT, SERVER, Tail

CASES = {**{k: v for k, v in legal().items() if "65" in k or "fragment" in k},
         **{k: v[1] for k, v in illegal().items() if "rsv" in k or "70000" in k},
         **{k: v for k, v in cut_short().items() if "after 5" in k or "noise" in k}}


@pytest.fixture
def tls_pair(record, listener, pki):
    """(Wstape, client end, server end) of a WebSocket with TLS on both legs."""
    w = record(f"wss://localhost:{listener.port}", "--tls-cert", pki.good[0], "--tls-key",
               pki.good[1], "--upstream-ca", pki.ca_file, listen="wss://127.0.0.1:0")
    return w, lambda path: open_pair(w, listener, pki, path)


def open_pair(w, listener, pki, path):
    client = raw.connect(w.port, tls=pki.trusting())
    client.send(frames.request(path))
    server = listener.take(tls=pki.serving(pki.good))
    server.send(frames.response(server.read_head()))
    client.read_head()
    return client, server


def bare_fin(end):
    socket.socket.shutdown(end.sock, socket.SHUT_WR)


@pytest.mark.sanitize
@pytest.mark.parametrize("side", ["client", "server"])
def test_bytes(tls_pair, side):
    w, pair = tls_pair
    client, server = pair("/bytes")
    a, b = (client, server) if side == "client" else (server, client)
    mask = frames.MASK if side == "client" else None
    for name, build in CASES.items():
        if name in cut_short():
            continue
        data, start = build(mask), len(b.got)
        a.send(data)
        b.read_to(start + len(data))
        assert b.got[start:] == data, name
    streams = Tail(w.tape).read()
    assert streams.came[1, CLIENT] == client.sent
    assert streams.came[1, SERVER] == server.sent
    assert streams.went[1, CLIENT] == client.got
    assert streams.went[1, SERVER] == server.got
    for end in (client, server):
        end.close()


@pytest.mark.sanitize
@pytest.mark.parametrize("side", ["client", "server"])
@pytest.mark.parametrize("case", [c for c in cut_short() if c in CASES])
def test_bare_fin(tls_pair, side, case):
    """No close_notify: what was cut short looks cut short at the other end."""
    w, pair = tls_pair
    client, server = pair("/fin")
    a, b = (client, server) if side == "client" else (server, client)
    data, start = CASES[case](frames.MASK if side == "client" else None), len(b.got)
    a.send(data)
    bare_fin(a)
    assert b.read_end() == "truncated"
    assert b.got[start:] == data
    for end in (client, server):
        end.close()
    w.stop()
    end = w.show().one("end", side=side)
    assert (end["how"], end["by"]) == ("truncated", "peer")


@pytest.mark.sanitize
@pytest.mark.parametrize("side", ["client", "server"])
def test_close_notify(tls_pair, side):
    w, pair = tls_pair
    client, server = pair("/notify")
    a, b = (client, server) if side == "client" else (server, client)
    a.sock.settimeout(0)
    try:
        a.sock.unwrap()
    except (BlockingIOError, OSError):
        pass  # sent; the answer has not come yet
    assert b.read_end() == "fin"
    for end in (client, server):
        end.close()
    w.stop()
    assert w.show().one("end", side=side)["how"] == "fin"


@pytest.mark.sanitize
@pytest.mark.parametrize("side", ["client", "server"])
def test_reset(tls_pair, side):
    w, pair = tls_pair
    client, server = pair("/rst")
    a, b = (client, server) if side == "client" else (server, client)
    a.rst()
    assert b.read_end() == "reset"
    b.close()
    w.stop()
    assert w.show().one("end", side=side)["how"] == "reset"
