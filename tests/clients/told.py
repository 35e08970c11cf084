"""The clients and backends of told.mjs and told_server.mjs, and what they tell."""

import base64
import concurrent.futures

from ends import TIMEOUT, Program

_pool = concurrent.futures.ThreadPoolExecutor(16)


def meanwhile(function, *args, **kw):
    """Run it in a thread; a future."""
    return _pool.submit(function, *args, **kw)


class NodeStory:
    """What a Node client tells. `errors`: (message, code); `status`, `headers`, `body`:
    of an answer that was no WebSocket."""

    def __init__(self, lines):
        self.lines = lines
        self.texts = self.of("text")
        self.binaries = [base64.b64decode(b) for b in self.of("binary")]
        self.times = [line["time"] for line in lines if "text" in line]
        self.opened = any("open" in line for line in lines)
        self.errors = [(line["error"], line.get("code"))
                       for line in lines if "error" in line]
        self.code, self.reason = self._first("close"), self._first("reason")
        self.status, self.body = self._first("status"), self._first("body")
        self.headers = self._first("headers")

    def of(self, key):
        return [line[key] for line in self.lines if key in line]

    def _first(self, key):
        return next(iter(self.of(key)), None)


def start_node(url, ca=None, **options):
    return Program("told.mjs", url, options,
                   env={"NODE_EXTRA_CA_CERTS": str(ca)} if ca else {})


def node_client(url, ca=None, **options):
    """Run a client to its end."""
    return NodeStory(start_node(url, ca, **options).finish())


class NodeServer(Program):
    """Echoes on every path."""

    def __init__(self, **options):
        super().__init__("told_server.mjs", options)
        self.port = self.wait_ready()
        self.url = f"{'wss' if options.get('cert') else 'ws'}://localhost:{self.port}"

    def story(self, path):
        """What it tells of one connection, once it is over."""
        def over():
            return any("close" in line and line["path"] == path for line in self.lines)

        with self.changed:
            assert self.changed.wait_for(over, TIMEOUT), (path, self.lines[-5:])
        return NodeStory([{"time": 0, **line} for line in self.of(path)])
