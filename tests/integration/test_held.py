"""What rules hold back: nothing overtakes it, it costs bounded memory, others do not wait,
and it does not keep an end from being seen."""

import select
import time

import pytest

from rig import frames, raw
from rig.faults import acts, faults_of
from rig.process import is_sanitized
from rig.wait import rss_kb, until

MB = 1 << 20


def text(payload, mask=None, **kw):
    return frames.frame(frames.TEXT, payload, mask=mask, **kw)


def masked(payload, **kw):
    return text(payload, frames.MASK, **kw)


def payloads(end, at, count):
    """The next so many frames' (first byte, payload)."""
    out = []
    for _ in range(count):
        (first, _, payload), at = end.read_frame(at)
        out.append((first, payload))
    return out


def said(*items):
    return [(0x81, item) if isinstance(item, bytes) else item for item in items]


# ---- order ----


@pytest.mark.sanitize
def test_ends_wait_behind_what_is_delayed(inject, listener):
    """A close frame and the FIN behind it come after the delayed message."""
    w = inject(listener.url(), "delay=500ms,from=server,message=1")
    client, server = raw.upgrade(w.port, listener)
    at, start = len(client.got), time.monotonic()
    server.send(text(b"late") + text(b"next") + frames.close(1000, b"bye"))
    server.fin()
    assert payloads(client, at, 3) == said(b"late", b"next", (0x88, b"\x03\xe8bye"))
    assert client.read_end() == "fin"
    assert time.monotonic() - start >= 0.49
    client.close()
    server.close()


@pytest.mark.sanitize
def test_the_other_side_closes_meanwhile(inject, listener):
    """The client's close passes while a message for it is held; the answer comes behind."""
    w = inject(listener.url(), "delay=500ms,from=server,message=1")
    client, server = raw.upgrade(w.port, listener)
    at, at_server = len(client.got), len(server.got)
    server.send(text(b"late"))
    until(lambda: faults_of(w.tape), w.tape, 20, "the fault on the tape")
    client.send(frames.close(1000, mask=frames.MASK))
    assert payloads(server, at_server, 1) == [(0x88, b"\x03\xe8")]
    server.send(frames.close(1000))
    assert payloads(client, at, 2) == said(b"late", (0x88, b"\x03\xe8"))
    client.close()
    server.close()


def test_two_delays(inject, listener):
    """The second is shorter and still waits for the first."""
    w = inject(listener.url(), "delay=600ms,from=server,message=1",
               "delay=10ms,from=server,message=2")
    client, server = raw.upgrade(w.port, listener)
    at, start = len(client.got), time.monotonic()
    server.send(text(b"1") + frames.frame(frames.PING) + text(b"2") + text(b"3"))
    assert payloads(client, at, 4) == said((0x89, b""), b"1", b"2", b"3")
    assert time.monotonic() - start >= 0.59
    client.close()
    server.close()


@pytest.mark.parametrize("rule, expected", [
    ("reorder,message=every 2", [b"1", b"3", b"2", b"5", b"4"]),
    ("reorder", [b"2", b"1", b"4", b"3", b"5"]),
    ("reorder=2", [b"2", b"3", b"1", b"5", b"4"]),
], ids=str)
def test_reorder_what_follows_each_other(rule, expected, inject, listener):
    """A message that overtakes is not held for others itself; what is left over at the end
    goes before the close frame."""
    w = inject(listener.url(), f"{rule},from=server")
    client, server = raw.upgrade(w.port, listener)
    at = len(client.got)
    server.send(b"".join(text(b"%d" % n) for n in range(1, 6)) + frames.close(1000))
    assert payloads(client, at, 6) == said(*expected, (0x88, b"\x03\xe8"))
    client.close()
    server.close()


def test_inserted_next_to_a_ping_in_a_fragmented_message(inject, listener):
    """A message cannot go into another one: it waits for the end of that."""
    w = inject(listener.url(), "insert=more,opcode=ping,from=server")
    client, server = raw.upgrade(w.port, listener)
    at = len(client.got)
    server.send(text(b"a", fin=False) + frames.frame(frames.PING, b"?")
                + frames.frame(frames.CONTINUATION, b"b", fin=False)
                + frames.frame(frames.CONTINUATION, b"c"))
    got = payloads(client, at, 5)
    data = [f for f in got if f[0] & 15 < 8]
    assert data == [(1, b"a"), (0, b"b"), (0x80, b"c"), (0x81, b"more")], got
    assert (0x89, b"?") in got
    client.close()
    server.close()


def test_inserted_in_a_message_that_does_not_end(inject, listener):
    """Once 256k of them wait for its end, others are not inserted."""
    more = b"i" * 10000
    w = inject(listener.url(), f"insert={more.decode()},opcode=ping,from=server")
    client, server = raw.upgrade(w.port, listener)
    at, ping = len(client.got), frames.frame(frames.PING, b"?")
    server.send(text(b"a", fin=False) + ping * 40 + frames.frame(frames.CONTINUATION, b"b")
                + text(b"next"))
    one = text(more)
    fits = 256 * 1024 // len(one) + 1  # the last one goes over it
    wanted = len(text(b"a")) + len(ping) * 40 + len(text(b"b")) + fits * len(one)
    got = bytes(client.read_to(at + wanted + len(text(b"next")))[at:])
    assert got.count(more) == fits and got.endswith(text(b"next"))
    client.close()
    server.close()
    w.stop()
    notes = [n["text"] for n in w.show().all("note", connection=1)]
    assert sum("this one is not inserted" in n for n in notes) == 40 - fits


def test_a_large_message_that_no_rule_can_hit_is_not_held(inject, listener):
    """It passes while it still arrives."""
    w = inject(listener.url(), "drop,from=server,message=2", "drop,from=server,path=/other",
               "drop,from=client,json.a=1")
    client, server = raw.upgrade(w.port, listener)
    at = len(client.got)
    head = text(b"", length=5 * MB, form=64)
    server.send(head + b"x" * 1000)
    assert client.read_to(at + len(head) + 1000)[at:] == head + b"x" * 1000
    client.close()
    server.close()


# ---- ends ----


@pytest.mark.sanitize
def test_close_while_a_frame_is_on_its_way(inject, listener):
    """Nothing is put into the middle of a frame: that side ends without a close frame."""
    w = inject(listener.url(), "close=4001,reason=no,from=client,message=1")
    client, server = raw.upgrade(w.port, listener)
    at, at_server = len(client.got), len(server.got)
    half = text(b"half of it", length=1000)
    server.send(half)
    client.read_to(at + len(half))
    client.send(masked(b"x"))
    assert payloads(server, at_server, 1) == [(0x88, b"\x0f\xa1no")]
    server.close()
    assert client.read_end() in ("fin", "reset")
    assert client.got[at:] == half
    client.close()


@pytest.mark.sanitize
@pytest.mark.parametrize("rule", ["hang", "hang,path=/*", "hang=1h", "accept_delay=1h",
                                  "handshake_delay=1h"])
@pytest.mark.parametrize("how", ["fin", "rst"])
def test_a_client_that_hangs_leaves(how, rule, inject, listener):
    """Its connection is over then."""
    w = inject(listener.url(), rule)
    end = raw.connect(w.port)
    end.send(frames.request("/x"))
    until(lambda: faults_of(w.tape), w.tape, 20, "the fault on the tape")
    getattr(end, how)()
    until(lambda: w.show().all("end"), w.tape, 20, "its end on the tape")
    end.close()
    w.stop()


@pytest.mark.sanitize
def test_a_client_that_is_kept_waiting_is_heard(inject, listener):
    """What it said before it was let in is there, all of it."""
    w = inject(listener.url(), "accept_delay=300ms")
    end = raw.connect(w.port)
    end.send(frames.request("/x"))
    server = listener.take()
    server.send(frames.response(server.read_head()))
    assert end.read_head().startswith(b"HTTP/1.1 101")
    end.close()
    server.close()
    w.stop()


@pytest.mark.sanitize
@pytest.mark.parametrize("leaves", ["client", "server"])
@pytest.mark.parametrize("rule", ["stall,from=server", "delay=1h,from=server"])
def test_an_end_while_a_message_is_held(rule, leaves, inject, listener):
    """A reset of either side ends the other, whatever is held."""
    w = inject(listener.url(), rule)
    client, server = raw.upgrade(w.port, listener)
    server.send(text(b"held"))
    until(lambda: faults_of(w.tape), w.tape, 20, "the fault on the tape")
    one, other = (client, server) if leaves == "client" else (server, client)
    one.rst()
    assert other.read_end() in ("reset", "fin")
    other.close()
    w.stop()


@pytest.mark.sanitize
def test_a_stop_gives_everything_back(inject, listener):
    """What is delayed goes out before the close frame, in order."""
    w = inject(listener.url(), "delay=1h,from=server,message=2")
    client, server = raw.upgrade(w.port, listener)
    at = len(client.got)
    server.send(text(b"1") + text(b"2") + text(b"3"))
    until(lambda: faults_of(w.tape), w.tape, 20, "the fault on the tape")
    w.process.terminate()
    got = payloads(client, at, 4)
    assert got[:3] == said(b"1", b"2", b"3") and got[3][0] == 0x88
    client.close()
    server.close()
    w.stop()


# ---- memory ----


def flood(end, data, limit):
    """Send until the other side takes no more for a second, or the limit is sent."""
    end.sock.setblocking(False)
    sent = 0
    while sent < limit and select.select([], [end.sock], [], 1.0)[1]:
        try:
            sent += end.sock.send(data)
        except BlockingIOError:
            pass
    end.sock.setblocking(True)
    return sent


@pytest.mark.parametrize("rule", ["stall,from=server,message=2", "delay=1h,from=server",
                                  "latency=1h,from=server", "bandwidth=1k,from=server",
                                  "slice=100,delay=1s,from=server"])
def test_bounded_memory(rule, inject, listener):
    """Who sends more is made to wait; another connection is not."""
    w = inject(listener.url(), f"{rule},path=/flood")
    client = raw.connect(w.port)
    client.send(frames.request("/flood"))
    server = listener.take()
    server.send(frames.response(server.read_head()))
    other, other_server = raw.upgrade(w.port, listener, "/other")
    before = rss_kb(w.pid)
    sent = flood(server, text(b"y" * 60000) * 4, 64 * MB)
    at = len(other.got)
    other_server.send(text(b"at once"))
    start = time.monotonic()
    assert payloads(other, at, 1) == said(b"at once")
    assert time.monotonic() - start < 5
    assert sent < 64 * MB
    if not is_sanitized():
        assert rss_kb(w.pid) - before < 24 * 1024
    for end in (client, server, other, other_server):
        end.rst()


def test_held_messages_of_many_connections(inject, listener):
    """A hundred connections, each with a delayed message, are let go together."""
    w = inject(listener.url(), "delay=700ms,from=client")
    pairs = [raw.upgrade(w.port, listener, f"/{n}") for n in range(100)]
    at = [len(server.got) for _, server in pairs]
    start = time.monotonic()
    for n, (client, _) in enumerate(pairs):
        client.send(masked(b"%d" % n))
    for n, (_, server) in enumerate(pairs):
        assert payloads(server, at[n], 1) == said(b"%d" % n)
    assert 0.69 <= time.monotonic() - start < 10
    for pair in pairs:
        for end in pair:
            end.close()
    w.stop()
    assert len(acts(w.tape)) == 100
