"""aiohttp's WebSocket, client or server, with a log of what it reads and writes.

Control frames are answered here (autoping and autoclose are off), so that they show.
"""

import asyncio

from aiohttp import WSMsgType

from wirelog import log

KINDS = {WSMsgType.TEXT: "text", WSMsgType.BINARY: "binary", WSMsgType.PING: "ping",
         WSMsgType.PONG: "pong"}


def close_bytes(code, reason):
    return code.to_bytes(2, "big") + reason.encode()


class Peer:
    def __init__(self, ws, path, transport):
        self.ws, self.path, self.transport = ws, path, transport
        self.pongs, self.reading = {}, None
        self.messages = asyncio.Queue()  # None: closed
        reader, read = ws._reader, ws._reader.read

        async def logged():
            message = await read()
            self._came(message)
            return message

        reader.read = logged

    def _came(self, m):
        if m.type == WSMsgType.CLOSE:
            reason = m.extra if isinstance(m.extra, str) else (m.extra or b"").decode()
            log(self.path, "got", "close", close_bytes(m.data, reason) if m.data else b"")
        elif m.type in KINDS:
            log(self.path, "got", KINDS[m.type], m.data)

    def start(self):
        """Read until the end; messages go to the queue."""
        self.reading = asyncio.ensure_future(self._read())

    async def _read(self):
        while True:
            m = await self.ws.receive()
            if m.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                self.messages.put_nowait(m.data)
            elif m.type == WSMsgType.PING:
                log(self.path, "sent", "pong", m.data)
                await self.ws.pong(m.data)
            elif m.type == WSMsgType.PONG:
                waiter = self.pongs.pop(bytes(m.data), None)
                if waiter:
                    waiter.set_result(None)
            else:
                if m.type == WSMsgType.CLOSE:
                    await self._close(m.data or 1000, m.extra or "")
                break
        self.messages.put_nowait(None)

    async def receive(self):
        return await self.messages.get()

    async def send(self, data):
        if isinstance(data, str):
            log(self.path, "sent", "text", data)
            await self.ws.send_str(data)
        else:
            log(self.path, "sent", "binary", data)
            await self.ws.send_bytes(data)

    async def fragments(self, parts):
        await self.send("".join(parts))  # the library cannot fragment

    async def ping(self, data):
        waiter = asyncio.get_running_loop().create_future()
        self.pongs[data.encode()] = waiter
        log(self.path, "sent", "ping", data)
        await self.ws.ping(data.encode())
        await waiter

    async def close(self, code=1000, reason=""):
        # The library waits for the answer only when nobody else reads.
        self.reading.cancel()
        await asyncio.gather(self.reading, return_exceptions=True)
        await self._close(code, reason)
        self.messages.put_nowait(None)

    async def _close(self, code, reason):
        log(self.path, "sent", "close", close_bytes(code, reason))
        await self.ws.close(code=code, message=reason.encode())

    def abort(self):
        self.transport.abort()
