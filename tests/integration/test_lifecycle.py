"""Starting and stopping: what a shell or a CI step sees."""

import contextlib
import select
import signal

import pytest

from rig import frames, raw
from rig.process import run, show
from rig.wait import process_ended


def read_close(end, start):
    """The next close frame's (code, reason)."""
    while True:
        (first, _, payload), start = end.read_frame(start)
        if first & 15 == frames.CLOSE:
            return int.from_bytes(payload[:2], "big"), payload[2:].decode()


@pytest.mark.sanitize
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_graceful_stop(record, listener, how):
    """1001 to both sides, no new connections, a whole tape, a summary, status 0."""
    w = record(listener.url())
    pairs = [raw.upgrade(w.port, listener, f"/{i}") for i in range(5)]
    heads = [(len(c.got), len(s.got)) for c, s in pairs]
    w.process.send_signal(how)
    for (client, server), (at_c, at_s) in zip(pairs, heads):
        assert read_close(client, at_c)[0] == 1001
        assert read_close(server, at_s)[0] == 1001
        client.send(frames.close(1001, mask=frames.MASK))
        server.send(frames.close(1001))
        for end in (client, server):
            assert end.read_end() == "fin"
            end.close()
    assert process_ended(w.pid, 1.5), "it waits for nobody"
    assert w.wait() == 0
    with pytest.raises(ConnectionRefusedError):
        raw.connect(w.port)
    said = w.stderr()
    assert "5 connections" in said and how.name in said and w.tape.name in said
    objects = show(w.tape)
    summary = [o for o in objects if o["record"] == "summary"]
    assert len(summary) == 1 and how.name in str(summary[0])
    for c in range(1, 6):
        ends = [o for o in objects if o["record"] == "end" and o["connection"] == c]
        assert sorted(o["side"] for o in ends) == ["client", "server"]
    assert run("verify", w.tape).returncode == 0


def test_stop_does_not_wait_for_the_silent(record, listener):
    """Peers that answer nothing cannot keep it."""
    w = record(listener.url())
    pairs = [raw.upgrade(w.port, listener) for _ in range(3)]
    half = raw.connect(w.port)
    half.send(b"GET / HT")
    w.stop()
    for pair in pairs:
        for end in pair:
            assert end.read_end() in ("fin", "reset")


def test_stop_does_not_wait_for_a_reader_that_stalls(record, listener):
    """What is queued for a peer that takes nothing is given up."""
    w = record(listener.url())
    client, server = raw.upgrade(w.port, listener)
    block = frames.frame(frames.BINARY, bytes(1 << 20))
    poller = select.poll()
    poller.register(server.sock, select.POLLOUT)
    server.sock.settimeout(0)
    while poller.poll(500):
        with contextlib.suppress(BlockingIOError):
            server.sock.send(block)
    w.process.send_signal(signal.SIGTERM)
    assert process_ended(w.pid, 15)
    assert w.wait() == 0
    for end in (client, server):
        end.close()


def test_stop_in_the_middle_of_a_frame(record, listener):
    """A close frame cannot go into a frame that is half sent: that side just ends."""
    w = record(listener.url())
    client, server = raw.upgrade(w.port, listener)
    at_c, at_s = len(client.got), len(server.got)
    half = frames.frame(frames.BINARY, b"half", length=100)
    server.send(half)
    client.read_to(at_c + len(half))
    w.process.send_signal(signal.SIGTERM)
    assert read_close(server, at_s)[0] == 1001
    client.read_end()
    assert client.got[at_c:] == half
    server.close()
    assert w.wait() == 0


def test_second_signal(record, listener):
    w = record(listener.url())
    client, server = raw.upgrade(w.port, listener)
    w.process.send_signal(signal.SIGTERM)
    assert read_close(client, len(client.read_head()))[0] == 1001
    w.process.send_signal(signal.SIGTERM)  # the client does not answer: do not wait
    assert process_ended(w.pid, 3)
    assert w.wait() in (0, 128 + signal.SIGTERM, -signal.SIGTERM)
    objects = show(w.tape)
    assert any(o["record"] == "connection" for o in objects)
    for end in (client, server):
        end.close()
