"""The proxies of a comparison: how each is set up, started and stopped.

All listen on 127.0.0.1 in front of one WebSocket server, with one worker and without
access logs, set up as their manuals say for WebSockets.
"""

import json
import pathlib
import shutil
import signal
import socket
import subprocess
import time

START_SECONDS = 10
STOP_SECONDS = 20

NGINX = """\
daemon off;
worker_processes 1;
worker_rlimit_nofile {files};
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections {files}; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        location / {{
            proxy_pass http://127.0.0.1:{upstream};
            proxy_http_version 1.1;
            proxy_set_header Host $host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection "upgrade";
            proxy_buffering off;
            proxy_read_timeout 1h;
            proxy_send_timeout 1h;
        }}
    }}
}}
"""

HAPROXY = """\
global
    nbthread 1
    maxconn {connections}
defaults
    mode http
    timeout connect 5s
    timeout client 1h
    timeout server 1h
    timeout tunnel 1h
frontend in
    bind 127.0.0.1:{port} backlog 1024
    default_backend out
backend out
    server one 127.0.0.1:{upstream}
"""


class CannotStart(Exception):
    pass


def find_program(name):
    """Its path, also where only root's PATH looks; None when it is not installed."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    """A process that listens; `port` is where, `pid` whose cost is counted."""

    def __init__(self, name, argv, folder, port=None, port_file=None):
        self.name = name
        self.port = port
        self.log = pathlib.Path(folder, f"{name.replace(' ', '')}.log")
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log
            )
        self.pid = self.process.pid
        try:
            self._wait_ready(port_file)
        except BaseException:
            self.stop()
            raise

    def _wait_ready(self, port_file):
        if self.port is None and port_file is None:
            line = self.process.stdout.readline()
            if not line:
                raise CannotStart(f"{self.name}: {self.log.read_text().strip()}")
            self.port = json.loads(line)["port"]
            return
        deadline = time.monotonic() + START_SECONDS
        while not self._is_ready(port_file):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise CannotStart(f"{self.name}: {self.log.read_text().strip()}")
            time.sleep(0.01)

    def _is_ready(self, port_file):
        if port_file is not None:
            text = port_file.read_text() if port_file.exists() else ""
            self.port = int(text) if text.endswith("\n") or text.isdigit() else None
            return self.port is not None
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Direct:
    """No proxy: the load goes to the server."""

    pid = None

    def __init__(self, port):
        self.port = port

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


class Proxies:
    """Starts proxies by name. `tape` is what the recording ones write."""

    NAMES = ["direct", "nginx", "haproxy", "relay", "relay --log", "wstape"]
    PACKAGES = {"nginx": "nginx-light", "haproxy": "haproxy"}

    def __init__(self, upstream, tools, wstape, folder, files):
        self.upstream = upstream
        self.relay = str(tools / "relay")
        self.wstape = str(wstape)
        self.folder = folder
        self.files = files
        self.tape = pathlib.Path(folder, "tape")

    def start(self, name):
        self.tape.unlink(missing_ok=True)
        makers = {
            "direct": lambda: Direct(self.upstream),
            "nginx": self._nginx,
            "haproxy": self._haproxy,
            "relay": lambda: self._relay([]),
            "relay --log": lambda: self._relay(["--log", str(self.tape)]),
            "wstape": self._wstape,
        }
        return makers[name]()

    def _write_config(self, name, text, **more):
        path = pathlib.Path(self.folder, name)
        path.write_text(
            text.format(folder=self.folder, upstream=self.upstream, **more)
        )
        return str(path)

    def _nginx(self):
        port = free_port()
        path = self._write_config("nginx.conf", NGINX, port=port, files=self.files)
        log = str(pathlib.Path(self.folder, "error.log"))
        argv = [find_program("nginx"), "-p", str(self.folder), "-c", path, "-e", log]
        return Server("nginx", argv, self.folder, port=port)

    def _haproxy(self):
        port = free_port()
        path = self._write_config(
            "haproxy.cfg", HAPROXY, port=port, connections=self.files // 2 - 100
        )
        argv = [find_program("haproxy"), "-db", "-f", path]
        return Server("haproxy", argv, self.folder, port=port)

    def _relay(self, more):
        argv = [self.relay, "0", str(self.upstream)] + more
        return Server("relay", argv, self.folder)

    def _wstape(self):
        port_file = pathlib.Path(self.folder, "port")
        port_file.unlink(missing_ok=True)
        argv = [self.wstape, "record", "--listen", "ws://127.0.0.1:0"]
        argv += ["--upstream", f"ws://127.0.0.1:{self.upstream}"]
        argv += ["--output", str(self.tape), "--port-file", str(port_file)]
        return Server("wstape", argv, self.folder, port_file=port_file)
