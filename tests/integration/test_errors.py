"""What goes wrong at the edges: the client is told in words, the tape knows, and another
connection that echoes all the while notices nothing."""

import json
import os
import socket
import ssl
import time

import pytest

from rig import frames, raw
from rig.wait import until

ASK = b"GET /wrong HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Switch(raw.EchoServer):
    """An echo server that can be told to be another server for new connections."""

    behave = None

    def _serve(self, s):
        if self.behave is None:
            super()._serve(s)
            return
        try:
            self.behave(s)
        except OSError:
            pass
        s.close()


@pytest.fixture
def guarded(record, pki):
    """guarded(*args, tls legs...) -> (Wstape, server); a bystander runs until the end."""
    made = []

    def start(*args, listen_tls=False, upstream_tls=False):
        server = Switch(tls=pki.serving(pki.good) if upstream_tls else None)
        if listen_tls:
            args = (*args, "--tls-cert", pki.good[0], "--tls-key", pki.good[1])
        if upstream_tls and "--upstream-insecure" not in args:
            args = (*args, "--upstream-ca", pki.ca_file)
        w = record(f"{'wss' if upstream_tls else 'ws'}://localhost:{server.port}", *args,
                   listen=f"{'wss' if listen_tls else 'ws'}://127.0.0.1:0")
        bystander = raw.Bystander(w.port, tls=pki.trusting() if listen_tls else None)
        made.append((server, bystander, w))
        return w, server

    yield start
    for server, bystander, w in made:
        bystander.check()
        assert w.running()
        w.stop()
        assert w.show().all("connection", path="/bystander")[0]["status"] == 101
        server.close()


def ask(w, data=ASK, tls=None):
    """Send a request; (status, reason in words) of wstape's own answer."""
    client = raw.connect(w.port, tls=tls)
    try:
        client.send(data)
    except (BrokenPipeError, ConnectionResetError):
        pass  # it has answered already
    client.read_end()
    client.close()
    return answer(bytes(client.got))


def answer(got):
    head, _, body = got.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 "), got[:200]
    assert b"content-type: application/json" in head.lower()
    told = json.loads(body)
    assert told["error"] and told["reason"]
    return int(head.split()[1]), told["reason"]


def on_tape(w, *words):
    """One line of the tape's timeline, or of its connections, has all these words."""
    lines = [json.dumps(o).lower() for o in w.show().objects]
    assert any(all(word in line for word in words) for line in lines), lines[-12:]


def told_on_tape(w, reason):
    """wstape's own answer is on the tape, with its cause."""
    assert reason in [o["cause"] for o in w.show().all("sent", to="client")]


TLS_TROUBLE = {
    "stranger": ("certificate", "unable to get local issuer|issuer|authority|self"),
    "expired": ("certificate", "expired"),
    "wrong_name": ("certificate", "elsewhere.test|name"),
}


@pytest.mark.sanitize
@pytest.mark.parametrize("leaf", TLS_TROUBLE)
def test_upstream_certificate(guarded, pki, leaf):
    w, server = guarded(upstream_tls=True)
    server.tls = pki.serving(getattr(pki, leaf))
    status, reason = ask(w)
    assert status == 502
    first, second = TLS_TROUBLE[leaf]
    assert first in reason.lower()
    found = [word for word in second.split("|") if word in reason.lower()]
    assert found, reason
    on_tape(w, first, found[0])


@pytest.mark.parametrize("request_", ["http", "websocket"])
def test_upstream_refused(guarded, request_):
    w, server = guarded()
    server.close()
    status, reason = ask(w, ASK if request_ == "http" else frames.request("/wrong"))
    assert status == 502 and "refused" in reason.lower() and str(server.port) in reason
    on_tape(w, "refused")


def test_upstream_comes_back(record):
    """Refused once does not mean refused for ever."""
    with raw.Listener() as listener:
        port = listener.port
    w = record(f"ws://127.0.0.1:{port}")
    assert ask(w)[0] == 502
    with raw.Listener() as again:
        again.sock.close()
        again.sock = socket.create_server(("127.0.0.1", port))
        again.sock.settimeout(raw.TIMEOUT)
        client, server = raw.upgrade(w.port, again)
        client.close()
        server.close()


def test_upstream_unresolvable(record):
    w = record("ws://no-such-host.invalid:80")
    status, reason = ask(w)
    assert status == 502 and "no-such-host.invalid" in reason
    on_tape(w, "no-such-host.invalid", "error")


def test_upstream_speaks_plain_text(guarded):
    w, server = guarded(upstream_tls=True)

    def plain(s):
        s.recv(1000)
        s.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\nwhat?")

    server.behave = plain
    status, reason = ask(w)
    assert status == 502 and "tls" in reason.lower(), reason
    on_tape(w, "tls")


def test_upstream_speaks_tls(guarded, pki):
    """ws:// to a TLS port: the server's alert is no HTTP."""
    w, server = guarded()

    def tls(s):
        pki.serving(pki.good).wrap_socket(s, server_side=True)

    server.behave = tls
    client = raw.connect(w.port)
    client.send(ASK)
    client.read_end()
    if client.got.startswith(b"HTTP/1.1"):
        status, reason = answer(bytes(client.got))
        assert status == 502 and reason
    on_tape(w, "/wrong")


def test_upstream_hangs_up_before_tls(guarded):
    w, server = guarded(upstream_tls=True)
    server.behave = lambda s: s.recv(10)
    assert ask(w)[0] == 502
    on_tape(w, "tls")


def test_upstream_does_not_answer_the_connect(record):
    """A full backlog: the SYN gets no answer."""
    with raw.Listener(backlog=0) as listener:
        fill = [socket.socket() for _ in range(4)]
        for s in fill:
            s.setblocking(False)
            s.connect_ex(("127.0.0.1", listener.port))
        w = record(listener.url(), "--connect-timeout", "1s")
        start = time.monotonic()
        status, reason = ask(w)
        assert status == 502 and "time" in reason.lower()
        assert 0.9 < time.monotonic() - start < 8
        on_tape(w, "time")
        for s in fill:
            s.close()


def test_upstream_wants_a_certificate(guarded, pki):
    w, server = guarded(upstream_tls=True)
    server.tls = pki.serving(pki.good, want_client=True)
    client = raw.connect(w.port)
    client.send(ASK)
    client.read_end()
    if client.got:
        assert answer(bytes(client.got))[0] == 502
    on_tape(w, "certificate")


def test_client_certificate(guarded, pki):
    w, server = guarded("--upstream-cert", pki.client[0], "--upstream-key", pki.client[1],
                        upstream_tls=True)
    server.tls = pki.serving(pki.good, want_client=True)
    client = raw.EchoClient(w.port)
    client.echo()
    client.close()


def test_insecure(guarded, pki):
    """Anything goes with --upstream-insecure, and it says so."""
    w, server = guarded("--upstream-insecure", upstream_tls=True)
    for leaf in TLS_TROUBLE:
        server.tls = pki.serving(getattr(pki, leaf))
        client = raw.EchoClient(w.port)
        client.echo()
        client.close()
    assert "insecure" in w.stderr().lower() or "not verified" in w.stderr().lower()


# ---- the client's leg ----

@pytest.mark.sanitize
def test_plain_text_on_a_tls_port(guarded):
    w, _ = guarded(listen_tls=True)
    status, reason = ask(w)
    assert status == 400 and "tls" in reason.lower()
    on_tape(w, "tls")


@pytest.mark.sanitize
def test_tls_on_a_plain_port(guarded):
    w, _ = guarded()
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        raw.connect(w.port, tls=ssl.create_default_context())
    on_tape(w, "tls")


def test_client_that_does_not_trust_us(guarded):
    w, _ = guarded(listen_tls=True)
    with pytest.raises(ssl.SSLCertVerificationError):
        raw.connect(w.port, tls=ssl.create_default_context())
    until_on_tape(w, "unknown ca")


def until_on_tape(w, *words):
    """The client is gone already: what the tape gets to know comes a moment later."""
    def there():
        return any(all(word in json.dumps(o).lower() for word in words)
                   for o in w.show().objects)

    until(there, w.tape, raw.TIMEOUT, f"{words} on the tape")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_tls_is_refused(guarded):
    w, _ = guarded(listen_tls=True)
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        raw.connect(w.port, tls=old)


GARBAGE = {
    "binary": bytes(range(256)) * 4,
    "words": b"hello there\r\nhow are you\r\n\r\n",
    "http/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "http/0.9": b"GET /\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "old socks": b"\x04\x01\x00\x50\x7f\x00\x00\x01\x00" + b"\r\n\r\n",
    "bad method": b"G@T / HTTP/1.1\r\nHost: x\r\n\r\n",
    "bad version": b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
}


@pytest.mark.sanitize
@pytest.mark.parametrize("case", GARBAGE)
def test_garbage(guarded, case):
    w, server = guarded()
    status, reason = ask(w, GARBAGE[case])
    assert status in (400, 501, 505)
    told_on_tape(w, reason)
    assert all(h.startswith(b"GET /bystander ") for h in server.heads)


@pytest.mark.sanitize
@pytest.mark.parametrize("shape", ["one field", "many fields", "target"])
def test_head_of_a_megabyte(guarded, shape):
    w, _ = guarded()
    mega = b"x" * (1 << 20)
    heads = {
        "one field": b"GET / HTTP/1.1\r\nHost: x\r\nX-Big: " + mega + b"\r\n\r\n",
        "many fields": b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X-A: b\r\n" * 150000 + b"\r\n",
        "target": b"GET /" + mega + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    }
    status, reason = ask(w, heads[shape])
    assert status == 431
    told_on_tape(w, reason)


def test_bytes_behind_the_last_word(guarded):
    """64k of them are kept, the others are counted."""
    w, _ = guarded()
    client = raw.connect(w.port)
    client.send(GARBAGE["bad method"])
    client.read_head()
    client.send(b"x" * 100000)
    client.fin()
    client.read_end()
    client.close()
    late = f"{100000 - 65536} bytes that came after wstape's last word were not kept"
    until_on_tape(w, late)
    kept = sum(o["size"] for o in w.show().all("raw", **{"from": "client"}))
    assert kept == len(GARBAGE["bad method"]) + 65536


def test_head_of_an_answer_over_64k(record, listener):
    """It passes as it is, and is no longer taken for HTTP."""
    w = record(listener.url())
    client = raw.connect(w.port)
    client.send(ASK)
    server = listener.take()
    server.read_head()
    large = b"HTTP/1.1 200 OK\r\nX-Big: " + b"x" * (64 * 1024) + b"\r\n\r\n"
    server.send(large + b"hello")
    server.fin()
    client.read_end()
    assert bytes(client.got) == large + b"hello"
    client.close()
    server.close()
    until_on_tape(w, "the head is longer than 64 kb", "pass unparsed")


def test_head_of_63k_passes(guarded):
    w, server = guarded()
    field = b"x" * (63 * 1024)
    client = raw.connect(w.port)
    client.send(b"GET /big HTTP/1.1\r\nHost: x\r\nX-Big: " + field + b"\r\n\r\n")
    assert client.read_head().startswith(b"HTTP/1.1 200")
    assert any(field in h for h in server.heads)
    client.close()


@pytest.mark.sanitize
def test_slow_head(guarded):
    """Bytes that trickle in do not extend the time."""
    w, _ = guarded("--head-timeout", "1s")
    start = time.monotonic()
    client = raw.connect(w.port)
    for byte in ASK[:-1]:
        client.send(bytes([byte]))
        if raw.readable(client, 0.05):
            break
    client.read_end()
    assert 0.9 < time.monotonic() - start < 5
    status, _ = answer(bytes(client.got))
    assert status == 408
    on_tape(w, "time")


@pytest.mark.parametrize("listen_tls", [False, True], ids=["plain", "tls"])
def test_silent_client(guarded, listen_tls):
    """A client that connects and says nothing is let go too."""
    w, _ = guarded("--head-timeout", "1s", listen_tls=listen_tls)
    start = time.monotonic()
    client = raw.connect(w.port)
    client.read_end()
    assert 0.9 < time.monotonic() - start < 5
    until_on_tape(w, "time")


def test_head_timeout_is_not_for_idle_sockets(guarded):
    """Once upgraded, a connection may be silent; so may one between two requests be,
    when the answer takes its time."""
    w, server = guarded("--head-timeout", "1s")
    quiet = raw.EchoClient(w.port)
    slow = raw.connect(w.port)
    slow.read_end()  # another one that times out: the time has passed by now
    quiet.echo()
    quiet.close()


@pytest.mark.parametrize("moment", ["before a byte", "in the head", "in the handshake"])
def test_client_resets_early(guarded, moment):
    w, _ = guarded(listen_tls=moment == "in the handshake")
    for _ in range(20):
        client = raw.connect(w.port)
        if moment == "in the head":
            client.send(ASK[:10])
        elif moment == "in the handshake":
            client.send(b"\x16\x03\x01\x02\x00\x01" + os.urandom(20))
        client.rst()
    until_on_tape(w, '"end"', "reset")
