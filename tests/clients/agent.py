"""The kind of product that the failures come from: a backend of agent events in this
process, on the Python `websockets` library, and a client of it that tells its story."""

import asyncio
import threading
import time

from websockets.exceptions import ConnectionClosed
from websockets.legacy.client import connect
from websockets.legacy.server import serve

TIMEOUT = 40
GREETING = '{"type":"connection_established","data":{"user":"u-1"},"timestamp":1700000000}'
STARTED = '{"type":"agent_started","run_id":"r-1","timestamp":1.50}'
THINKING = '{"type": "agent_thinking", "thought": "h\\u00f6m", "timestamp": 15e-1}'
EXECUTING = ('{"type":"tool_executing","tool_name":"search","parameters":{"q": "x",'
             '"big":12345678901234567890123},"timestamp":2.0}')
COMPLETED = ('{"type":"tool_completed","tool_name":"search","results":[1, 2 ,3],'
             '"duration":0.50,"timestamp":3}')
DONE = '{"type":"agent_completed","timestamp":4}'
RUN = [STARTED, THINKING, EXECUTING, COMPLETED, DONE]
CHAT = '{"type":"chat_message","message":"hello"}'


class Visit:
    """What the backend saw of one connection."""

    def __init__(self, ws):
        self.ws, self.path = ws, ws.path
        self.headers = ws.request_headers
        self.received, self.times, self.over = [], [], False
        self.code = self.reason = self.text = self.cause = None

    def end(self, closed):
        self.code, self.reason = self.ws.close_code, self.ws.close_reason
        self.text, self.cause = str(closed), closed.__cause__
        self.over = True


class Agent:
    """Greets on every path but /echo..., answers a chat message with a run of events and
    anything else with itself. `visits`: all connections so far."""

    def __init__(self, **options):
        self.visits, self.changed = [], threading.Condition()
        self.loop, ready = asyncio.new_event_loop(), threading.Event()
        self.options = {"ping_interval": None, "max_size": 1 << 24, "close_timeout": 5,
                        "compression": None, **options}
        self.thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self.thread.start()
        assert ready.wait(TIMEOUT)
        self.url = f"{'wss' if options.get('ssl') else 'ws'}://localhost:{self.port}"

    def _run(self, ready):
        asyncio.set_event_loop(self.loop)
        self.server = self.loop.run_until_complete(
            serve(self._talk, "127.0.0.1", 0, **self.options))
        self.port = self.server.sockets[0].getsockname()[1]
        ready.set()
        self.loop.run_forever()

    async def _talk(self, ws, *_):
        visit = Visit(ws)
        self._change(self.visits.append, visit)
        try:
            await self.greet(ws)
            while True:
                message = await ws.recv()
                self._change(visit.received.append, message)
                visit.times.append(time.monotonic())
                await self.answer(ws, message)
        except ConnectionClosed as e:
            self._change(visit.end, e)

    async def greet(self, ws):
        if not ws.path.startswith("/echo"):
            await ws.send(GREETING)

    async def answer(self, ws, message):
        for event in RUN if message == CHAT else [message]:
            await ws.send(event)

    def _change(self, what, *args):
        with self.changed:
            what(*args)
            self.changed.notify_all()

    def wait(self, condition):
        """Until condition() is true, and what it is then."""
        with self.changed:
            assert self.changed.wait_for(condition, TIMEOUT), \
                [(v.path, v.received, v.over) for v in self.visits[-5:]]
            return condition()

    def visit(self, path):
        """The visit to this path, once it is there."""
        return self.wait(lambda: next((v for v in self.visits if v.path == path), None))

    def ended(self, path):
        """The same, once it is over."""
        visit = self.visit(path)
        self.wait(lambda: visit.over)
        return visit

    def do(self, coroutine):
        """Run a coroutine where the connections are; its result."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(TIMEOUT)

    def close(self):
        async def end():
            self.server.close()
            await self.server.wait_closed()

        self.do(end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(TIMEOUT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Story:
    """How it went for a client. `error`: why it could not connect. `text`, `code`,
    `reason`, `cause`: how the connection was closed, if not by the client. Times are
    seconds since the client began to connect."""

    def __init__(self):
        self.messages, self.times = [], []
        self.opened = self.ended = self.error = self.protocol = None
        self.text = self.code = self.reason = self.cause = None
        self.extensions = []


async def get(ws, story, start):
    story.messages.append(await ws.recv())
    story.times.append(time.monotonic() - start)


async def send(ws, say, turns, story, start):
    for message in say:
        await ws.send(message)
        if turns:
            await get(ws, story, start)


async def talk(url, say=(), count=None, until=None, turns=False, **options):
    """Connect, send, receive `count` messages, or until one that is `until` (neither:
    until it is closed), close. `turns`: wait for an answer before the next is sent."""
    options = {"ping_interval": None, "close_timeout": 5, "max_size": 1 << 24,
               "compression": None, **options}
    story, start = Story(), time.monotonic()
    try:
        async with connect(url, **options) as ws:
            story.opened = time.monotonic() - start
            story.protocol = ws.subprotocol
            story.extensions = [e.name for e in ws.extensions]
            sending = asyncio.ensure_future(send(ws, say, turns, story, start))
            if turns:
                await sending
            while count is None or len(story.messages) < count:
                if until is not None and story.messages[-1:] == [until]:
                    break
                await get(ws, story, start)
            await sending
    except ConnectionClosed as e:
        story.text, story.cause = str(e), e.__cause__
        story.code, story.reason = ws.close_code, ws.close_reason
    except Exception as e:  # whatever a user of the library would see
        story.error = e
    if story.opened is not None:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
    story.ended = time.monotonic() - start
    return story


def python_client(url, say=(), count=None, **options):
    return asyncio.run(asyncio.wait_for(talk(url, say, count, **options), TIMEOUT))


def python_clients(urls, say=(), count=None, **options):
    """The stories of many at once."""
    async def all_of_them():
        return await asyncio.gather(*(talk(u, say, count, **options) for u in urls))

    return asyncio.run(asyncio.wait_for(all_of_them(), TIMEOUT))
