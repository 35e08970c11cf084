"""Clients and a backend for long runs: one event loop, thousands of connections."""

import asyncio
import random
import socket
import struct

from rig import frames
from rig.wait import RST_ON_CLOSE

TIMEOUT = 20


async def read_frame(reader):
    """(first byte, payload) of the next frame; IncompleteReadError at the end."""
    first, second = await reader.readexactly(2)
    length = second & 0x7F
    if length == 126:
        (length,) = struct.unpack("!H", await reader.readexactly(2))
    elif length == 127:
        (length,) = struct.unpack("!Q", await reader.readexactly(8))
    mask = await reader.readexactly(4) if second & 0x80 else None
    payload = await reader.readexactly(length)
    return first, frames.xor(payload, mask) if mask else payload


def reset(writer):
    """End with an RST, unless the end has come."""
    if writer.transport.is_closing():
        return
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST_ON_CLOSE)
    writer.transport.abort()


class Backend:
    """Echoes every message; answers anything but an upgrade with 200."""

    def __init__(self):
        self.server = None
        self.port = None

    async def start(self):
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=4096)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    @property
    def url(self):
        return f"ws://127.0.0.1:{self.port}"

    async def _serve(self, reader, writer):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            if b"upgrade: websocket" not in head.lower():
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close"
                             b"\r\n\r\nok")
                return
            writer.write(frames.response(head))
            while True:
                first, payload = await read_frame(reader)
                opcode = first & 15
                answer = frames.PONG if opcode == frames.PING else opcode
                writer.write(frames.frame(answer, payload, fin=bool(first & 0x80)))
                if opcode == frames.CLOSE:
                    return
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def stop(self):
        self.server.close()


class Client:
    """One WebSocket connection."""

    @classmethod
    async def open(cls, port, path="/", opened=None):
        self = cls()
        self.reader, self.writer = await asyncio.wait_for(
            asyncio.open_connection("127.0.0.1", port), TIMEOUT)
        if opened is not None:
            opened.append(self.writer)
        self.writer.write(frames.request(path))
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), TIMEOUT)
        self.status = int(head.split(b" ", 2)[1])
        return self

    async def echo(self, payload, opcode=frames.TEXT):
        self.writer.write(frames.frame(opcode, payload, mask=frames.MASK))
        _, back = await asyncio.wait_for(read_frame(self.reader), TIMEOUT)
        return back

    async def close(self):
        self.writer.write(frames.close(1000, mask=frames.MASK))
        try:
            while (await asyncio.wait_for(read_frame(self.reader), TIMEOUT))[0] & 15 != 8:
                pass
        finally:
            self.writer.close()

    def reset(self):
        reset(self.writer)


async def _visit(port, rng, how, opened):
    """Talk, and leave in one of many ways; whatever was opened goes into `opened`."""
    if how < 2:  # plain HTTP; garbage, or half a request
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        opened.append(writer)
        writer.write(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" if how
                     else rng.choice((b"\x16\x03\x01\x02", b"GET / HT", b"\r\n" * 5)))
        if how:
            await asyncio.wait_for(reader.read(), TIMEOUT)
        elif rng.random() < 0.5:
            reset(writer)
        return
    client = await Client.open(port, f"/churn/{how}", opened)
    if client.status != 101:
        return
    for n in range(rng.randrange(1, 6)):
        size = rng.choice((0, 30, 300, 3000, 70000))
        await client.echo(b'{"n":%d,"pad":"%s"}' % (n, b"x" * size))
    if how < 6:
        await client.close()
    elif how < 8:
        client.reset()


async def churn_once(port, rng):
    """Connect, talk, leave. Faults may end it at any moment."""
    opened = []
    try:
        await _visit(port, rng, rng.randrange(10), opened)
    except (OSError, EOFError, asyncio.TimeoutError):
        pass  # a fault, or the end of the run
    finally:
        for writer in opened:
            writer.close()


async def churn(port, seconds, rate, seed):
    """About `rate` connections begin a second; how many did."""
    rng, loop = random.Random(seed), asyncio.get_running_loop()
    began, count, running = loop.time(), 0, set()
    while loop.time() < began + seconds:
        due = int((loop.time() - began) * rate)
        while count < due:
            count += 1
            task = asyncio.create_task(churn_once(port, random.Random(rng.random())))
            running.add(task)
            task.add_done_callback(running.discard)
        await asyncio.sleep(0.02)
    if running:
        await asyncio.wait(running, timeout=2 * TIMEOUT)
    return count
