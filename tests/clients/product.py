"""The product of agent.py with what makes its sessions differ from run to run: ids that
the client draws and the backend repeats, ids that the backend draws, and times."""

import asyncio
import datetime
import http
import json
import time
import uuid

from websockets.legacy.client import connect

from agent import TIMEOUT, Agent

DONE = "agent_completed"


def now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat()


def run_of(chat):
    """What a chat message is answered with."""
    request, sent_at, token = chat["request_id"], chat["sent_at"], chat["token"]
    return [
        {"type": "agent_started",
         "run": {"request": {"id": request}, "by": str(uuid.uuid4())},
         "text": f"run {request} started for {token}.", "timestamp": time.time()},
        {"type": "agent_thinking", "thought": f"they said: {chat['message']}",
         "timestamp": now()},
        {"type": "tool_executing", "tool_name": "search", "parameters":
            {"q": chat["message"], "at": sent_at, "big": 12345678901234567890123},
         "timestamp": time.time()},
        {"type": "tool_completed", "tool_name": "search", "results":
            [{"id": request, "score": 0.91}, f"{request}#1", {"by": [token]}],
         "duration": 0.5, "timestamp": time.time()},
        {"type": DONE, "request_id": request, "sent_at": str(sent_at), "timestamp": now()}]


class Product(Agent):
    """Greets, answers chat messages and pings; anything else is an error. Serves /health
    and /api/agents. `change(events)`: what it does to the answers of a run."""

    def __init__(self, change=lambda events: events, pause=0, **options):
        self.change, self.pause = change, pause
        super().__init__(process_request=self._http, **options)

    async def _http(self, path, _headers):
        if path.startswith("/ws"):
            return None
        found = {"/health": {"status": "ok", "time": time.time()},
                 "/api/agents": [{"name": "search"}, {"name": "write"}]}.get(path)
        status = http.HTTPStatus.OK if found else http.HTTPStatus.NOT_FOUND
        return status, [("Content-Type", "application/json")], json.dumps(found).encode()

    async def greet(self, ws):
        await ws.send(json.dumps(
            {"type": "connection_established", "data": {"session": str(uuid.uuid4()),
             "path": ws.path}, "timestamp": time.time()}))

    async def answer(self, ws, message):
        said = json.loads(message)
        if said["type"] == "chat_message":
            events = self.change(run_of(said))
            for event in events[:-1]:
                await ws.send(json.dumps(event))
            await asyncio.sleep(self.pause)  # so that there is something to keep up with
            await ws.send(json.dumps(events[-1]))
        elif said["type"] == "ping":
            await ws.send(json.dumps({"type": "pong", "echo": said["n"]}))
        else:
            await ws.send(json.dumps({"type": "error", "message": f"no {said['type']}"}))


def chat(message="hello"):
    """What a client says: ids and times are new every time."""
    return {"type": "chat_message", "message": message, "request_id": str(uuid.uuid4()),
            "sent_at": time.time_ns() // 1000, "token": uuid.uuid4().hex}


class Log:
    """What a client of the product saw. `messages`: as JSON; `drawn`: the chat messages
    that it sent."""

    def __init__(self):
        self.texts, self.drawn, self.pongs = [], [], 0
        self.code = self.reason = self.protocol = None
        self.extensions = []

    @property
    def messages(self):
        return [json.loads(t) for t in self.texts]

    def normal(self):
        """The texts with names instead of what the client drew."""
        texts = "\n".join(self.texts)
        for n, said in enumerate(self.drawn):
            for key in ("request_id", "sent_at", "token", "message"):
                texts = texts.replace(str(said[key]), f"<{key} {n}>")
        return texts.split("\n")


async def visit(url, chats=("hello", "how are you?", "bye now"), **options):
    """A whole session: greeting, chats, a ping of each kind, a clean close."""
    log = Log()
    options = {"ping_interval": None, "close_timeout": 5, "compression": None, **options}
    async with connect(url, **options) as ws:
        log.protocol, log.extensions = ws.subprotocol, [e.name for e in ws.extensions]
        log.texts.append(await ws.recv())
        for n, words in enumerate(chats, 1):
            log.drawn.append(chat(words))
            await ws.send(json.dumps(log.drawn[-1]))
            while log.messages[-1]["type"] != DONE or len(log.texts) < 1 + 5 * n:
                log.texts.append(await ws.recv())
        await (await ws.ping())
        log.pongs += 1
        await ws.send('{"type":"ping","n":1}')
        log.texts.append(await ws.recv())
        await ws.close(1000, "done")
    log.code, log.reason = ws.close_code, ws.close_reason
    return log


def session(url, *args, **options):
    return asyncio.run(asyncio.wait_for(visit(url, *args, **options), TIMEOUT))


def sessions(urls, *args, **options):
    """The logs of many at once."""
    async def all_of_them():
        return await asyncio.gather(*(visit(u, *args, **options) for u in urls))

    return asyncio.run(asyncio.wait_for(all_of_them(), TIMEOUT))
