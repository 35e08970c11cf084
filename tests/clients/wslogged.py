"""The `websockets` library with a log of every frame it reads and writes."""

from websockets.legacy.client import WebSocketClientProtocol
from websockets.legacy.server import WebSocketServerProtocol

from wirelog import FrameLog, emit


class Logged:
    log_path = None  # set once the path is known

    def make_logs(self):
        self.log_sent, self.log_got = FrameLog("sent"), FrameLog("got")

    async def read_frame(self, max_size):
        f = await super().read_frame(max_size)
        self.log_got.frame(self.name(), f.fin, f.opcode, f.data)
        return f

    def write_frame_sync(self, fin, opcode, data):
        self.log_sent.frame(self.name(), fin, opcode, data)
        super().write_frame_sync(fin, opcode, data)

    def name(self):
        return self.log_path or self.path

    def connection_lost(self, exc):
        super().connection_lost(exc)
        if self.name():
            emit(path=self.name(), end=True)


class LoggedServer(Logged, WebSocketServerProtocol):
    def __init__(self, *args, **kw):
        self.make_logs()
        super().__init__(*args, **kw)


class LoggedClient(Logged, WebSocketClientProtocol):
    def __init__(self, *args, **kw):
        self.make_logs()
        super().__init__(*args, **kw)


class Peer:
    """Either end, as steps.py and answers.py want it."""

    def __init__(self, ws):
        self.ws = ws

    async def send(self, data):
        await self.ws.send(data)

    async def fragments(self, parts):
        await self.ws.send(parts)

    async def ping(self, data):
        await (await self.ws.ping(data))

    async def close(self, code=None, reason=""):
        await self.ws.close(code or 1000, reason)

    def abort(self):
        self.ws.transport.abort()
