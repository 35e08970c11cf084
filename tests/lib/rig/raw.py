"""Raw TCP ends that remember every byte they sent and received."""

import select
import socket
import ssl
import threading
import time

from . import frames
from .wait import RST_ON_CLOSE

TIMEOUT = 20
TCP_CLOSE = 7  # a state of TCP_INFO


class End:
    """One end of a connection. `sent` and `got` hold all bytes so far."""

    def __init__(self, sock):
        self.sock = sock
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(TIMEOUT)
        self.sent, self.got, self.ended = bytearray(), bytearray(), None

    def fileno(self):
        return self.sock.fileno()

    def send(self, data):
        self.sock.sendall(data)
        self.sent += data

    def read_some(self):
        """Receive once; False when the peer has ended (see `ended`)."""
        try:
            data = self.sock.recv(1 << 18)
        except ConnectionResetError:
            self.ended = "reset"
            return False
        except ssl.SSLError as e:
            if "EOF" not in str(e).upper():
                raise
            self.ended = "reset" if self.was_reset() else "truncated"
            return False
        self.got += data
        if not data:
            self.ended = "fin"
        return bool(data)

    def was_reset(self):
        """After an RST the kernel has closed the socket; after a FIN it waits for ours.
        (Python's TLS says EOF for both.)"""
        return self.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == TCP_CLOSE

    def read_to(self, count):
        """Read until `count` bytes have come in all."""
        while len(self.got) < count and self.read_some():
            pass
        assert len(self.got) >= count, (self.ended, bytes(self.got[-200:]), count)
        return bytes(self.got)

    def read_head(self):
        """Read until an HTTP head is complete; the head. The first one only."""
        while b"\r\n\r\n" not in self.got and self.read_some():
            pass
        head, found, _ = bytes(self.got).partition(b"\r\n\r\n")
        assert found, (self.ended, head)
        return head + found

    def read_end(self):
        """Read until the peer ends; "fin", "reset" or "truncated"."""
        while self.read_some():
            pass
        return self.ended

    def read_frame(self, start):
        """The first frame at offset `start` of `got`; (first, mask, payload), its end."""
        while True:
            found, end = frames.parse_one(self.got, start)
            if found:
                return found, end
            assert self.read_some(), (self.ended, bytes(self.got[start:]))

    def fin(self):
        self.sock.shutdown(socket.SHUT_WR)

    def rst(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST_ON_CLOSE)
        self.sock.close()

    def close(self):
        self.sock.close()


def connect(port, host="127.0.0.1", tls=None, name="localhost"):
    s = socket.create_connection((host, port), timeout=TIMEOUT)
    if tls:
        s = tls.wrap_socket(s, server_hostname=name, suppress_ragged_eofs=False)
    return End(s)


class Listener:
    """A server whose connections the test takes one by one."""

    def __init__(self, host="127.0.0.1", backlog=512):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.sock = socket.create_server((host, 0), family=family, backlog=backlog)
        self.sock.settimeout(TIMEOUT)
        self.host = f"[{host}]" if ":" in host else host
        self.port = self.sock.getsockname()[1]

    def url(self, scheme="ws"):
        return f"{scheme}://{self.host}:{self.port}"

    def take(self, tls=None):
        s, _ = self.sock.accept()
        if tls:
            s.settimeout(TIMEOUT)
            s = tls.wrap_socket(s, server_side=True, suppress_ragged_eofs=False)
        return End(s)

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def upgrade(port, listener, path="/", extra=(), host="127.0.0.1"):
    """A WebSocket through wstape: (client end, server end), both heads read."""
    client = connect(port, host)
    client.send(frames.request(path, extra=extra))
    server = listener.take()
    server.send(frames.response(server.read_head()))
    client.read_head()
    return client, server


class EchoServer:
    """A WebSocket backend in threads: echoes every frame, closes in order. Anything but
    an upgrade is answered with a small HTTP response."""

    def __init__(self, host="127.0.0.1", tls=None):
        self.listener = Listener(host)
        self.port, self.tls = self.listener.port, tls
        self.heads = []
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def url(self, scheme="ws"):
        return self.listener.url(scheme)

    def _accept(self):
        self.listener.sock.settimeout(None)
        while True:
            try:
                s, _ = self.listener.sock.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(s,), daemon=True).start()

    def _serve(self, s):
        try:
            if self.tls:
                s = self.tls.wrap_socket(s, server_side=True)
            end = End(s)
            end.sock.settimeout(None)
            self._talk(end)
        except (OSError, AssertionError):
            s.close()

    def _talk(self, end):
        head = end.read_head()
        self.heads.append(head)
        if b"upgrade: websocket" not in head.lower():
            end.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
            end.close()
            return
        self.echo(end, head)

    def echo(self, end, head):
        """Answer the upgrade and echo until the close."""
        end.send(frames.response(head))
        at = len(head)
        while True:
            (first, _, payload), at = end.read_frame(at)
            opcode = first & 15
            answer = frames.PONG if opcode == frames.PING else opcode
            end.send(frames.frame(answer, payload, fin=bool(first & 0x80)))
            if opcode == frames.CLOSE:
                end.close()
                return
            del end.got[:at]
            end.sent.clear()
            at = 0

    def close(self):
        try:
            self.listener.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class EchoClient:
    """A WebSocket client in front of an EchoServer."""

    def __init__(self, port, path="/echo", host="127.0.0.1", tls=None):
        self.end = connect(port, host, tls)
        self.end.send(frames.request(path))
        self.end.read_head()
        self.at = len(self.end.read_head())

    def echo(self, payload=b"are you there?"):
        """One round trip; its seconds."""
        start = time.monotonic()
        self.end.send(frames.frame(frames.BINARY, payload, mask=frames.MASK))
        (_, _, back), self.at = self.end.read_frame(self.at)
        assert back == payload
        del self.end.got[:self.at]
        self.at = 0
        self.end.sent.clear()
        return time.monotonic() - start

    def close(self):
        self.end.send(frames.close(1000, mask=frames.MASK))
        self.end.read_frame(self.at)
        self.end.close()


class Bystander:
    """A connection that echoes all the while, in a thread; `check()` waits for one more
    round, ends it, and fails when one failed or took longer than `slowest` seconds."""

    def __init__(self, port, path="/bystander", slowest=5.0, tls=None):
        self.client = EchoClient(port, path, tls=tls)
        self.slowest, self.rounds, self.worst, self.error = slowest, 0, 0.0, None
        self.done, self.went_round = threading.Event(), threading.Condition()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            while not self.done.wait(0.01):
                self.worst = max(self.worst, self.client.echo(b"%d" % self.rounds))
                with self.went_round:
                    self.rounds += 1
                    self.went_round.notify_all()
            self.client.close()
        except (OSError, AssertionError) as e:
            self.error = e

    def check(self):
        with self.went_round:
            now = self.rounds
            self.went_round.wait_for(lambda: self.rounds > now + 1 or self.error, TIMEOUT)
        self.done.set()
        self.thread.join(TIMEOUT)
        assert not self.thread.is_alive() and self.error is None, repr(self.error)
        assert self.rounds > 1 and self.worst < self.slowest, (self.rounds, self.worst)


def readable(end, timeout):
    return bool(select.select([end.sock], [], [], timeout)[0])


def any_readable(ends, timeout=TIMEOUT):
    """Those of the ends and listeners that are readable, once one is."""
    got = select.select([e.sock for e in ends], [], [], timeout)[0]
    assert got, "nothing comes from any of them"
    return [e for e in ends if e.sock in got]
