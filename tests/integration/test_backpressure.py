"""A stalled reader in front of a fast sender for 1 GB: wstape's memory stays small, other
connections go on, and all bytes arrive."""

import os
import pty
import select
import subprocess
import threading
import time
import zlib

import pytest

from rig import frames, raw
from rig.process import binary
from rig.wait import rss_kb

GB = 1_000_000_000
LIMIT_KB = 32_000_000 // 1024
STALLED_FOR = 0.7  # seconds without a byte taken: the sender is blocked
STALL_AT = (0, GB // 10, GB // 3, 2 * GB // 3)


class Sender(threading.Thread):
    """Sends `block` over and over until `total` bytes went; `stalled` is set while the
    other end takes nothing."""

    def __init__(self, end, block, total):
        super().__init__(daemon=True)
        self.end, self.block, self.total = end, block, total
        self.stalled, self.error = threading.Event(), None
        end.sock.settimeout(0 if not hasattr(end.sock, "cipher") else raw.TIMEOUT)

    def run(self):
        try:
            poller = select.poll()
            poller.register(self.end.sock, select.POLLOUT)
            sent, view = 0, memoryview(self.block)
            while sent < self.total:
                if not poller.poll(STALLED_FOR * 1000):
                    self.stalled.set()
                    poller.poll(raw.TIMEOUT * 1000)
                at = sent % len(self.block)
                sent += self.end.sock.send(view[at:at + (1 << 18)])
        except OSError as e:
            self.error = e
            self.stalled.set()


def receive(end, sender, total, stall_at, check):
    """Read `total` bytes, waiting for the sender to stall at some points; their CRC."""
    crc = got = 0
    stalls = list(stall_at)
    buffer = bytearray(1 << 20)
    while got < total:
        if stalls and got >= stalls[0]:
            stalls.pop(0)
            sender.stalled.clear()
            assert sender.stalled.wait(raw.TIMEOUT), "the sender is never held back"
            check()
        n = end.sock.recv_into(buffer)
        assert n, f"ended after {got} bytes: {sender.error!r}"
        crc = zlib.crc32(memoryview(buffer)[:n], crc)
        got += n
    return crc


def check_memory(w):
    assert rss_kb(w.pid) < LIMIT_KB


def expected_crc(block, total):
    crc = 0
    for _ in range(total // len(block)):
        crc = zlib.crc32(block, crc)
    return crc


def stall(record, pki, side, total, sizes, tls=False, look_at=None):
    """The whole story for one direction; `sizes`: payloads of the frames sent."""
    args, scheme = [], "ws"
    if tls:
        args = ["--tls-cert", pki.good[0], "--tls-key", pki.good[1], "--upstream-ca",
                pki.ca_file]
        scheme = "wss"
    block = b"".join(frames.frame(frames.BINARY, bytes([i & 255]) * n,
                                  mask=frames.MASK if side == "client" else None)
                     for i, n in enumerate(sizes))
    total -= total % len(block)
    with Backend(pki.serving(pki.good) if tls else None) as backend:
        w = record(f"{scheme}://localhost:{backend.port}", *args,
                   listen=f"{scheme}://127.0.0.1:0")
        trust = pki.trusting() if tls else None
        bystander = raw.Bystander(w.port, tls=trust)
        client = raw.connect(w.port, tls=trust)
        client.send(frames.request("/stall"))
        client.read_head()
        server = backend.stalled()
        a, b = (client, server) if side == "client" else (server, client)
        sender = Sender(a, block, total)
        rounds = [bystander.rounds]

        def check():
            check_memory(w)
            rounds.append(bystander.rounds)
            assert rounds[-1] > rounds[-2], "the other connection stands still"

        sender.start()
        points = [int(p * total / GB) for p in STALL_AT]
        crc = receive(b, sender, total, points, check)
        sender.join(raw.TIMEOUT)
        assert sender.error is None and crc == expected_crc(block, total)
        bystander.check()
        assert rss_kb(w.pid, "VmHWM") < LIMIT_KB
        for end in (client, server):
            end.close()
        w.stop()
        assert w.tape.stat().st_size >= total
        if look_at:
            look_at(w.tape)
        w.tape.unlink()


class Backend(raw.EchoServer):
    """Echoes, but hands the connection to /stall over to the test."""

    def __init__(self, tls):
        self.handed, self.ready = None, threading.Event()
        super().__init__(tls=tls)

    def _talk(self, end):
        head = end.read_head()
        if b"/stall" not in head:
            self.echo(end, head)
            return
        end.send(frames.response(head))
        self.handed = end
        self.ready.set()

    def stalled(self):
        assert self.ready.wait(raw.TIMEOUT)
        self.handed.sock.settimeout(raw.TIMEOUT)
        return self.handed


def show_large_tape(tape):
    """`show` reads a tape of a gigabyte in little memory, and tells how far it is."""
    main, side = pty.openpty()
    process = subprocess.Popen([binary(), "show", tape], stdout=subprocess.PIPE,
                               stderr=side)
    os.close(side)
    first = process.stdout.read(4096)
    size, peak = len(first), 0
    while data := process.stdout.read1(1 << 16):
        size += len(data)
        try:
            peak = rss_kb(process.pid, "VmHWM")
        except LookupError:
            pass  # it has ended; what is left is in the pipe
    status = process.wait()
    progress = os.read(main, 4096)
    os.close(main)
    assert status == 0 and b"/stall" in first
    assert size < GB // 30  # a start of each message, not all of it
    assert b"%" in progress
    assert 0 < peak < LIMIT_KB


def test_stalled_client(record, pki):
    start = time.monotonic()
    stall(record, pki, "server", GB, [65536] * 16, look_at=show_large_tape)
    assert time.monotonic() - start < 60


def test_stalled_server(record, pki):
    stall(record, pki, "client", GB // 4, [1024] * 1024)


def test_stalled_on_one_huge_frame(record, pki):
    """One frame longer than all limits: passed while it arrives."""
    stall(record, pki, "server", GB // 4, [GB // 4 - 100])


@pytest.mark.parametrize("side", ["client", "server"])
def test_stalled_tls(record, pki, side):
    stall(record, pki, side, GB // 8, [65536] * 16, tls=True)


def test_stalled_download(record, pki):
    """The same for the body of an HTTP response."""
    total = GB // 5
    with raw.Listener() as listener:
        w = record(listener.url())
        client = raw.connect(w.port)
        client.send(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        server = listener.take()
        server.read_head()
        server.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % total)
        head = len(client.read_head())
        assert len(client.got) == head
        block = os.urandom(1_000_000)
        sender = Sender(server, block, total)
        sender.start()
        crc = receive(client, sender, total, [0, total // 2],
                      lambda: check_memory(w))
        assert crc == expected_crc(block, total)
        assert rss_kb(w.pid, "VmHWM") < LIMIT_KB
        client.close()
        server.close()
        w.stop()
        assert w.tape.stat().st_size < 3_000_000  # --http-body-limit
