"""Load for test_crash: raw ends on both sides of wstape, in one selector loop, that send
what a seed says and log every byte that they receive."""

import os
import random
import selectors
import socket
import time

from rig import frames

CONNECTIONS = 20
DRAIN = 10  # seconds for the kernel to tell that a dead process's sockets are closed
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
ASK = b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 300\r\n\r\n" + b"b" * 300


class Side:
    """A non-blocking socket: `got` has all that came, `out` what is still to go."""

    def __init__(self, sock, path=None):
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock, self.path = sock, path
        self.got, self.out, self.ended = bytearray(), bytearray(), False
        self.is_open = False  # past the handshake

    def read(self):
        try:
            data = self.sock.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self.ended = self.ended or not data
        self.got += data

    def write(self):
        if self.out and not self.ended:
            try:
                del self.out[:self.sock.send(self.out)]
            except BlockingIOError:
                pass
            except OSError:
                self.out.clear()


class Load:
    """`run(seconds)` keeps all connections busy; `drain()` after the kill reads what the
    kernel still has."""

    def __init__(self, port, listener, seed):
        self.random = random.Random(seed)
        self.selector = selectors.DefaultSelector()
        self.listener = listener
        listener.sock.setblocking(False)
        self.selector.register(listener.sock, selectors.EVENT_READ, None)
        self.clients, self.servers = [], []
        for i in range(CONNECTIONS):
            sock = socket.create_connection(("127.0.0.1", port))
            side = Side(sock, b"/c/%d" % i)
            is_http = i % 5 == 4
            side.kind = "http" if is_http else "socket"
            side.out += ASK % side.path if is_http else frames.request(side.path.decode())
            self.clients.append(side)
            self.selector.register(sock, selectors.EVENT_READ, side)

    def some_frames(self, mask):
        rng, out = self.random, bytearray()
        for _ in range(rng.randrange(1, 6)):
            size = rng.choice((0, 1, 50, 128, 128, 128, 700, 5000, 5000, 70000, 200000))
            data = os.urandom(64) * (size // 64) + bytes(size % 64)
            out += frames.frame(rng.choice((1, 2, 9, 2)) if size < 126 else 2, data,
                                mask=mask, fin=rng.random() < 0.9)
        return out

    def accept(self):
        try:
            while True:
                side = Side(self.listener.sock.accept()[0])
                self.servers.append(side)
                self.selector.register(side.sock, selectors.EVENT_READ, side)
        except BlockingIOError:
            pass

    def turn(self, timeout):
        for key, _ in self.selector.select(timeout):
            if key.data is None:
                self.accept()
            else:
                key.data.read()
                if key.data.ended:
                    self.selector.unregister(key.data.sock)

    def feed(self):
        for side in self.servers:
            if side.path is None and b"\r\n\r\n" in side.got:
                side.path = bytes(side.got.split(b" ", 2)[1])
                side.kind = "http" if side.got.startswith(b"POST") else "socket"
                if side.kind == "socket":
                    side.out += frames.response(bytes(side.got))
                side.answered = 0
            if side.path and side.kind == "http":
                asked = side.got.count(b"POST ")
                side.out += OK * (asked - side.answered)
                side.answered = asked
            elif side.path and len(side.out) < 1000 and self.random.random() < 0.5:
                side.out += self.some_frames(None)
        for side in self.clients:
            if len(side.out) >= 1000 or b"\r\n\r\n" not in side.got:
                continue
            if side.kind == "http":
                if side.got.endswith(OK):
                    side.out += ASK % side.path
            elif self.random.random() < 0.5:
                side.out += self.some_frames(frames.MASK)

    def run(self, seconds, turns=1 << 30):
        end = time.monotonic() + seconds
        while turns > 0 and time.monotonic() < end:
            turns -= 1
            for side in self.clients + self.servers:
                side.write()
            self.turn(0.0005)
            self.feed()

    def drain(self):
        """Everything that left wstape before it died."""
        end = time.monotonic() + DRAIN
        while any(not s.ended for s in self.clients + self.servers):
            assert time.monotonic() < end, "sockets of a dead process stay open"
            self.turn(0.2)
        self.accept_rest()
        for side in self.clients + self.servers:
            side.sock.close()
        self.selector.close()

    def accept_rest(self):
        before = len(self.servers)
        self.accept()
        for side in self.servers[before:]:
            while not side.ended:
                side.read()
