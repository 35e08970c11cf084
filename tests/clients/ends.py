"""The programs of this folder as processes, and the comparison of their logs."""

import base64
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from wirelog import entry

HERE = Path(__file__).parent
TIMEOUT = 40
ALL = {"text", "binary", "ping", "pong", "close"}
DATA = {"text", "binary"}


def node():
    found = sorted(HERE.glob("node_modules/node-linux-*/bin/node"))
    assert found, "run tests/clients/setup.sh first"
    return str(found[0])


PROGRAMS = {".py": lambda: sys.executable, ".mjs": node}

# name: (program, options)
BACKENDS = {
    "py-websockets": ("backend_websockets.py", {}),
    "py-aiohttp": ("backend_aiohttp.py", {}),
    "node-ws": ("backend_ws.mjs", {}),
    "node-ws-no-takeover": ("backend_ws.mjs", {"deflate": "no-takeover"}),
    "node-ws-plain": ("backend_ws.mjs", {"deflate": False}),
}
# name: (program, options, what its log shows)
CLIENTS = {
    "py-websockets": ("client_websockets.py", {}, ALL),
    "py-aiohttp": ("client_aiohttp.py", {}, ALL),
    "node-ws": ("client_ws.mjs", {}, ALL),
    "node-ws-plain": ("client_ws.mjs", {"deflate": False}, ALL),
    "node-builtin": ("client_builtin.mjs", {}, DATA),
}


class Program:
    """A process that prints JSON lines; `lines` has those that came so far."""

    def __init__(self, file, *args, env=None):
        self.lines, self.at_end = [], False
        self.changed = threading.Condition()
        self.process = subprocess.Popen(
            [PROGRAMS[Path(file).suffix](), str(HERE / file),
             *(json.dumps(a) if not isinstance(a, str) else a for a in args)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, **(env or {})})
        self.errors = []
        self.readers = [threading.Thread(target=f, daemon=True)
                        for f in (self._read, self._read_errors)]
        for r in self.readers:
            r.start()

    def _read(self):
        for line in self.process.stdout:
            with self.changed:
                self.lines.append(json.loads(line))
                self.changed.notify_all()
        with self.changed:
            self.at_end = True
            self.changed.notify_all()

    def _read_errors(self):
        for line in self.process.stderr:
            self.errors.append(line.decode(errors="replace"))

    def wait_for(self, timeout=TIMEOUT, **fields):
        """The first line with these fields."""
        end = time.monotonic() + timeout
        with self.changed:
            while True:
                for line in self.lines:
                    if all(line.get(k) == v for k, v in fields.items()):
                        return line
                left = end - time.monotonic()
                if self.at_end or left <= 0:
                    raise AssertionError(f"no line {fields}: {self.lines[-5:]} "
                                         + "".join(self.errors[-20:]))
                self.changed.wait(left)

    def wait_ready(self):
        end = time.monotonic() + TIMEOUT
        with self.changed:
            while not self.lines and not self.at_end:
                self.changed.wait(max(0, end - time.monotonic()))
        assert self.lines and "ready" in self.lines[0], "".join(self.errors)
        return self.lines[0]["ready"]

    def finish(self):
        """Wait for the end of a client that must succeed; its lines."""
        try:
            status = self.process.wait(TIMEOUT)
        finally:
            self.kill()
        assert status == 0, (status, "".join(self.errors), self.lines[-3:])
        return self.lines

    def of(self, path):
        with self.changed:
            return [line for line in self.lines if line.get("path") == path]

    def kill(self):
        self.process.kill()
        self.process.wait()
        for r in self.readers:
            r.join(TIMEOUT)


class Backend(Program):
    def __init__(self, name, leaf=None):
        file, options = BACKENDS[name]
        if leaf:
            options = {**options, "cert": str(leaf[0]), "key": str(leaf[1])}
        super().__init__(file, options)
        self.tls = bool(leaf)
        self.port = self.wait_ready()
        self.url = f"{'wss' if leaf else 'ws'}://localhost:{self.port}"

    def log_of(self, path):
        """The whole log of one connection, once it has ended."""
        self.wait_for(path=path, end=True)
        return self.of(path)


def start_client(name, url, steps, ca=None, **options):
    file, fixed, _ = CLIENTS[name]
    env = {"NODE_EXTRA_CA_CERTS": str(ca)} if ca else {}
    return Program(file, url, steps, {**fixed, **options, **({"ca": str(ca)} if ca else {})},
                   env=env)


def messages(log, direction, kinds=ALL):
    """What a log says of one direction: entries without path and direction."""
    return [{k: v for k, v in line.items() if k not in ("path", "dir")}
            for line in log if line.get("dir") == direction and line["kind"] in kinds]


def payload_of(shown):
    if "base64" in shown:
        return base64.b64decode(shown["base64"])
    return shown.get("text", "").encode()


def on_tape(shown, connection, side, kinds=ALL):
    """What `show --json` says of one direction, as `messages` has it."""
    out = []
    for m in shown.all("message", connection=connection, **{"from": side}):
        if m["kind"] not in kinds:
            continue
        if m["kind"] == "close":
            out.append({"kind": "close", "code": m.get("code") or 1005,
                        "reason": m.get("reason") or ""})
        else:
            out.append(entry(m["kind"], payload_of(m)))
    return out


def compare(shown, path, client_log, server_log, sees=ALL):
    """Both logs against the tape, message for message; `sees`: the kinds that the
    client's log shows."""
    c = shown.connection(path)
    from_client, from_server = (on_tape(shown, c, side) for side in ("client", "server"))
    assert messages(server_log, "got") == from_client
    assert messages(server_log, "sent") == from_server
    assert messages(client_log, "sent", sees) == on_tape(shown, c, "client", sees)
    assert messages(client_log, "got", sees) == on_tape(shown, c, "server", sees)
    for side in ("client", "server"):
        numbers = [m["message"] for m in shown.all("message", connection=c,
                                                   **{"from": side}) if "message" in m]
        assert numbers == list(range(1, len(numbers) + 1))
    return c
