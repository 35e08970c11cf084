"""Plays cases, many at once: scripted ends over plain sockets, and real ends."""

import asyncio
import base64
import hashlib
import re
import socket

import websockets
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory

from rig import frames
from rig.tape import host_line_away
from rig.wait import RST_ON_CLOSE
from speaking import Speaker, headers_in, unmasked

AT_ONCE = 24
TIMEOUT = 20
LARGEST = 1 << 20
EXTENSIONS = re.compile(rb"\r\nSec-WebSocket-Extensions: *([^\r]*)", re.I)
OTHER = {"client": "server", "server": "client"}


class End:
    """A socket whose bytes are taken in as they come, so that no one ever waits for us."""

    def __init__(self, sock, got=b""):
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock, self.got, self.sent = sock, bytearray(got), bytearray()
        self.ended, self.head = None, 0
        self.changed = asyncio.Event()
        self.loop = asyncio.get_running_loop()
        self.loop.add_reader(sock, self._read)

    def _read(self):
        try:
            data = self.sock.recv(1 << 18)
            self.got += data
            self.ended = None if data else "fin"
        except BlockingIOError:
            return
        except ConnectionResetError:
            self.ended = "reset"
        if self.ended:
            self.loop.remove_reader(self.sock)
        self.changed.set()

    async def until(self, condition):
        """Wait until `condition()` holds or the peer has ended."""
        while not condition() and not self.ended:
            self.changed.clear()
            await self.changed.wait()
        return condition()

    async def read_to(self, count):
        assert await self.until(lambda: len(self.got) >= count), (
            f"{len(self.got)} of {count} bytes, then {self.ended}")

    async def read_head(self):
        await self.until(lambda: b"\r\n\r\n" in self.got)
        head, found, _ = bytes(self.got).partition(b"\r\n\r\n")
        assert found, (self.ended, head)
        self.head = len(head) + 4
        return head + found

    async def read_end(self):
        await self.until(lambda: False)
        return self.ended

    async def send(self, data):
        self.sent += data
        try:
            await self.loop.sock_sendall(self.sock, data)
        except (BrokenPipeError, ConnectionResetError):
            await self.read_end()

    def fin(self):
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it was reset, which `ended` tells

    def rst(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST_ON_CLOSE)
        self.close()

    def close(self):
        if self.sock.fileno() >= 0:
            self.loop.remove_reader(self.sock)
            self.sock.close()


async def connect(port):
    sock = socket.socket()
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    return End(sock)


class Backend:
    """A listener that hands each connection to who waits for its path."""

    def __init__(self):
        self.sock = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.sock.setblocking(False)
        self.port = self.sock.getsockname()[1]
        self.waiting, self.tasks = {}, set()

    async def serve(self):
        loop = asyncio.get_running_loop()
        while True:
            sock, _ = await loop.sock_accept(self.sock)
            task = asyncio.create_task(self._sort(End(sock)))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def _sort(self, end):
        head = await end.read_head()
        self.expect(head.split(b" ", 2)[1].decode()).set_result((end, head))

    def expect(self, path):
        return self.waiting.setdefault(path, asyncio.get_running_loop().create_future())

    def close(self):
        self.sock.close()


def key_of(path):
    """The same key whatever the way, so that heads can be compared."""
    return base64.b64encode(hashlib.sha1(path.encode()).digest()[:16])


def request(path, offers):
    lines = [b"GET " + path.encode() + b" HTTP/1.1", b"Host: 127.0.0.1",
             b"Upgrade: websocket", b"Connection: Upgrade",
             b"Sec-WebSocket-Key: " + key_of(path), b"Sec-WebSocket-Version: 13",
             *(b"Sec-WebSocket-Extensions: " + o.encode() for o in offers)]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def as_role(lines, a):
    """`a_` and `b_` in extension parameters, by who a is."""
    return [re.sub(r"\b([ab])_", lambda m: f"{a if m[1] == 'a' else OTHER[a]}_", line)
            for line in lines]


def agreed(head):
    return b", ".join(EXTENSIONS.findall(head)).decode()


def cut(data, split):
    """`data` in writes of a case's size; frames come one by one and stay whole."""
    size = max(1, len(data)) if split == "frame" else int(split)
    return [data[i:i + size] for i in range(0, len(data), size)]


class Scripted:
    """A case between two scripted ends."""

    def __init__(self, case, client, server, a, extensions):
        self.case, self.split = case, case.split
        self.ends = {"a": client if a == "client" else server,
                     "b": server if a == "client" else client}
        self.client, self.server = client, server
        self.speakers = {"a": Speaker(a, extensions), "b": Speaker(OTHER[a], extensions)}
        self.over = set()  # those who have ended their direction
        self.unsent = b""  # said in this turn: it goes as one run of bytes

    async def play(self):
        turn = None
        for step in self.case.steps:
            if step.side != turn:
                await self.flush(turn)
                await self.heard(step.side)
                turn = step.side
            await self.take(step)
        await self.flush(turn)
        if not self.over:
            await self.close()
        await self.leave()

    async def take(self, step):
        end, speaker = self.ends[step.side], self.speakers[step.side]
        other = "b" if step.side == "a" else "a"
        if step.act == "echo":
            for answer in self.speakers[other].answers:
                await self.send(step.side, speaker.say_frame(*answer))
            self.speakers[other].answers = []
        elif step.act in ("fin", "rst"):
            await self.flush(step.side)
            self.over.add(step.side)
            if step.act == "rst":
                await self.heard(other)
            getattr(end, step.act)()
        else:
            await self.send(step.side, speaker.say(step))

    async def send(self, side, pieces):
        if self.split != "frame":
            self.unsent += b"".join(pieces)
            return
        for piece in pieces:
            await self.ends[side].send(piece)

    async def flush(self, side):
        data, self.unsent = self.unsent, b""
        for piece in cut(data, self.split):
            await self.ends[side].send(piece)

    async def heard(self, side):
        """`side` has received all that makes whole messages. (Where rules look at
        messages, those that are not whole may wait.)"""
        end, other = self.ends[side], self.speakers["b" if side == "a" else "a"]
        await end.read_to(end.head + other.settled)

    async def close(self):
        """What is left of the close handshake; a begins, unless b has."""
        first, second = ("b", "a") if self.speakers["b"].close is not None else ("a", "b")
        for side, other in ((first, second), (second, first)):
            await self.heard(side)
            if self.speakers[side].close is None:
                answer = self.speakers[other].close
                payload = b"\x03\xe8" if answer is None else answer[:2]
                await self.send(side, self.speakers[side].say_frame(frames.CLOSE, payload))
                await self.flush(side)

    async def leave(self):
        """Server first, as the RFC has it, unless the case had somebody end already."""
        sides = ["a", "b"] if self.ends["a"] is self.server else ["b", "a"]
        for side in [s for s in sides if s not in self.over]:
            if self.over:
                await self.ends[side].read_end()
            await self.heard(side)
            self.ends[side].fin()
            self.over.add(side)
        for end in self.ends.values():
            if end.sock.fileno() >= 0:
                await end.read_end()


def seen(end, *, keys=True):
    """What an end saw, apart from the Host and Date lines."""
    head, body = bytes(end.got[:end.head]), bytes(end.got[end.head:])
    head = b"\r\n".join(line for line in host_line_away(head).split(b"\r\n")
                        if not line.lower().startswith(b"date:"))
    return {"head": head if keys else None, "frames": body if keys else unmasked(body),
            "end": end.ended}


def kept(end):
    """What the tape must have of an end."""
    return {"sent": bytes(end.sent), "got": bytes(end.got)}


def frames_of(end):
    return headers_in(end.sent[end.sent.index(b"\r\n\r\n") + 4:])


async def scripted(hub, case, a, path):
    """The parts "client" and "server": which of the two a is."""
    arrival = hub.backend.expect(path)
    client = await connect(hub.port("scripted"))
    server = None
    try:
        await client.send(request(path, as_role(case.offer, a)))
        server, head = await arrival
        extra = [b"Sec-WebSocket-Extensions: " + o.encode()
                 for o in as_role(case.answer, a)]
        answer = frames.response(head, extra)
        await server.send(answer)
        await client.read_head()
        dialogue = Scripted(case, client, server, a, agreed(answer))
        await dialogue.play()
        return {"client": seen(client), "server": seen(server)}, {
            "client": kept(client), "server": kept(server),
            "frames": {"client": frames_of(client), "server": frames_of(server)},
            "messages": {a: dialogue.speakers["a"].messages,
                         OTHER[a]: dialogue.speakers["b"].messages}}
    finally:
        for end in filter(None, (client, server)):
            end.close()


async def say_all(case, end, speaker):
    """a's half of a case to an end that echoes. Before the next frame its answer is
    waited for, since what an end does with two frames at once is chance; and its close
    before a FIN, where b says one or has to answer one."""
    count, closes = 0, False
    for step in case.steps:
        if step.side == "b":
            closes = closes or step.opcode == frames.CLOSE
            continue
        if step.act == "fin":
            if closes or speaker.close is not None:
                await end.until(lambda: closed(end))
            end.fin()
            return
        for piece in speaker.say(step):
            for part in cut(piece, case.split):
                await end.send(part)
        count += len(speaker.answers)
        speaker.answers = []
        if speaker.open is None:
            await end.until(lambda: answered(end, count))
    if speaker.close is None:
        await end.send(speaker.say_frame(frames.CLOSE, b"\x03\xe8")[0])


def answered(end, count):
    """`count` whole messages have come, or a close frame."""
    firsts = [frame[0] for frame in unmasked(end.got[end.head:])[0]]
    return (sum(first & 0x80 != 0 for first in firsts) >= count
            or any(first & 15 == frames.CLOSE for first in firsts))


async def to_real_server(hub, case, path):
    """A scripted client in front of the `websockets` server."""
    done = hub.expect(path)
    end = await connect(hub.port("real"))
    try:
        await end.send(request(path, as_role(case.offer, "client")))
        head = await end.read_head()
        speaker = Speaker("client", agreed(head))
        await say_all(case, end, speaker)
        await end.read_end()
        end.fin()
        told = await done
        return {"client": seen(end), "server": told}, {
            "client": kept(end), "frames": {"client": frames_of(end)}}
    finally:
        end.close()


async def to_real_client(hub, case, path):
    """The `websockets` client in front of a scripted server."""
    arrival = hub.backend.expect(path)
    client = asyncio.create_task(real_client(hub.port("scripted"), path))
    end = None
    try:
        end, head = await arrival
        await end.send(frames.response(head))
        await say_all(case, end, Speaker("server"))
        await end.until(lambda: closed(end))
        end.fin()
        await end.read_end()
        told = await client
        return {"client": told, "server": seen(end, keys=False)}, {
            "server": kept(end), "frames": {"server": frames_of(end)}}
    finally:
        client.cancel()
        if end:
            end.close()


def closed(end):
    return any(frame[0] & 15 == frames.CLOSE for frame in unmasked(end.got[end.head:])[0])


async def converse(ws):
    """Echo to the end; all that a program sees through this library."""
    messages = []
    try:
        async for message in ws:
            messages.append(message)
            await ws.send(message)
    except websockets.ConnectionClosed:
        pass
    await ws.wait_closed()
    return {"messages": messages, "code": ws.close_code, "reason": ws.close_reason}


async def real_client(port, path):
    async with websockets.connect(f"ws://127.0.0.1:{port}{path}", compression=None,
                                  ping_interval=None, max_size=LARGEST) as ws:
        return await converse(ws)


class Hub:
    """One way between the ends: where clients connect, by who is behind."""

    def __init__(self):
        self.backend, self.real, self.ports = Backend(), None, {}
        self.told = {}

    async def start(self):
        self.accepting = asyncio.create_task(self.backend.serve())
        self.real = await websockets.serve(
            self._tell, "127.0.0.1", 0, compression=None, ping_interval=None,
            max_size=LARGEST, extensions=[ServerPerMessageDeflateFactory()])
        self.ports = {"scripted": self.backend.port,
                      "real": self.real.sockets[0].getsockname()[1]}

    def port(self, kind):
        return self.ports[kind]

    async def _tell(self, ws, path):
        told = await converse(ws)
        self.expect(path).set_result(told)

    def expect(self, path):
        return self.told.setdefault(path, asyncio.get_running_loop().create_future())

    async def stop(self):
        self.accepting.cancel()
        self.backend.close()
        self.real.close()
        await self.real.wait_closed()


PLAY = {
    "client": lambda hub, case, path: scripted(hub, case, "client", path),
    "server": lambda hub, case, path: scripted(hub, case, "server", path),
    "real server": to_real_server,
    "real client": to_real_client,
}


async def play_all(hub, wanted):
    """{(case name, part): (seen, kept) or the exception} for [(case, part, path)]."""
    gate, found = asyncio.Semaphore(AT_ONCE), {}

    async def one(case, part, path):
        async with gate:
            try:
                found[case.name, part] = await asyncio.wait_for(
                    PLAY[part](hub, case, path), TIMEOUT)
            except Exception as e:  # a test shows it, under the case's name
                found[case.name, part] = e

    await asyncio.gather(*(one(*w) for w in wanted))
    return found
