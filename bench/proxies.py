"""The proxies of a comparison: how each is set up, started and stopped.

All listen on 127.0.0.1 in front of one WebSocket server, with one worker and without
access logs, set up as their manuals say for WebSockets.
"""

import json
import pathlib
import re
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
        listen 127.0.0.1:{port} {listen} backlog=1024;
        {certificate}
        location / {{
            proxy_pass {scheme}://127.0.0.1:{upstream};
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
    bind 127.0.0.1:{port} backlog 1024 {listen}
    default_backend out
backend out
    server one 127.0.0.1:{upstream} {connect}
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


class Sniffed:
    """A proxy, and tcpdump that writes what goes to it and comes from it to a file. The
    cost is that of both."""

    def __init__(self, proxy, path, folder):
        self.proxy = proxy
        self.port = proxy.port
        self.log = pathlib.Path(folder, "tcpdump.log")
        argv = [find_program("tcpdump"), "-i", "lo", "-U", "-n", "-w", str(path)]
        argv += ["-Z", "root", f"tcp port {proxy.port}"]
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=log)
        deadline = time.monotonic() + START_SECONDS
        while "listening on" not in self.log.read_text():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise CannotStart(f"tcpdump: {self.log.read_text().strip()}")
            time.sleep(0.01)
        self.pid = (proxy.pid, self.process.pid)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        self.process.wait(STOP_SECONDS)
        self.proxy.stop()

    def lost_share(self):
        """Of the packets that passed, by tcpdump's own count, once it has stopped."""
        counts = {word: int(n) for n, word in re.findall(
            r"(\d+) packets? (captured|dropped)", self.log.read_text())}  # fmt: skip
        total = counts.get("captured", 0) + counts.get("dropped", 0)
        return counts.get("dropped", 0) / total if total else 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def make_certificate(folder):
    """A key and a certificate of its own for 127.0.0.1, in one file."""
    path = pathlib.Path(folder, "local.pem")
    argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost",
            "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost",
            "-keyout", str(path), "-out", str(path) + ".crt"]  # fmt: skip
    done = subprocess.run(argv, capture_output=True, text=True)
    if done.returncode != 0:
        raise CannotStart(f"openssl: {done.stderr.strip()}")
    with open(path, "a") as f:
        f.write(pathlib.Path(str(path) + ".crt").read_text())
    return path


# Rules that look at every message, in both directions, and change one field of those that
# have it: as a run of fault tests would have them.
RULES = ["set_field.n=2,probability=0.01", "drop,json.n=3", "delay=1s,text=^never"]
PASSING = ["drop,path=/never/*"]


class Proxies:
    """Starts proxies by name. `tape` is what the recording ones write."""

    NAMES = ["direct", "nginx", "haproxy", "nginx tcpdump", "mitmproxy", "relay",
             "relay --log", "wstape off", "wstape", "wstape rules"]  # fmt: skip
    PACKAGES = {"nginx": "nginx-light", "haproxy": "haproxy", "tcpdump": "tcpdump",
                "mitmdump": "mitmproxy"}  # fmt: skip
    PROGRAMS = {"nginx": ["nginx"], "haproxy": ["haproxy"],
                "nginx tcpdump": ["nginx", "tcpdump"], "mitmproxy": ["mitmdump"]}  # fmt: skip
    TLS = ["nginx", "haproxy", "nginx tcpdump", "mitmproxy", "wstape off", "wstape",
           "wstape rules"]  # that speak it themselves  # fmt: skip

    def __init__(self, ports, tools, wstape, folder, files, certificate):
        self.ports = ports  # of the server: plain, with TLS
        self.certificate = str(certificate)
        self.relay = str(tools / "relay")
        self.wstape = str(wstape)
        self.folder = folder
        self.files = files
        self.tape = pathlib.Path(folder, "tape")

    def start(self, name, tls=""):
        """`tls`: "", "client" (that leg only) or "both"."""
        self.tape.unlink(missing_ok=True)
        self.listens_tls = tls != ""
        self.connects_tls = tls == "both"
        self.upstream = self.ports[self.connects_tls]
        record = ["record", "--output", str(self.tape)]
        makers = {
            "direct": lambda: Direct(self.upstream),
            "nginx": self._nginx,
            "haproxy": self._haproxy,
            "nginx tcpdump": lambda: Sniffed(self._nginx(), self.tape, self.folder),
            "mitmproxy": self._mitmproxy,
            "relay": lambda: self._relay([]),
            "relay --log": lambda: self._relay(["--log", str(self.tape)]),
            "wstape off": lambda: self._wstape(["inject"], PASSING),
            "wstape": lambda: self._wstape(record, []),
            "wstape rules": lambda: self._wstape(record, RULES),
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
        pem = self.certificate
        path = self._write_config(
            "nginx.conf", NGINX, port=port, files=self.files,
            listen="ssl" if self.listens_tls else "",
            certificate=f"ssl_certificate {pem}; ssl_certificate_key {pem};"
            if self.listens_tls else "",
            scheme="https" if self.connects_tls else "http",
        )  # fmt: skip
        log = str(pathlib.Path(self.folder, "error.log"))
        argv = [find_program("nginx"), "-p", str(self.folder), "-c", path, "-e", log]
        return Server("nginx", argv, self.folder, port=port)

    def _haproxy(self):
        port = free_port()
        path = self._write_config(
            "haproxy.cfg", HAPROXY, port=port, connections=self.files // 2 - 100,
            listen=f"ssl crt {self.certificate}" if self.listens_tls else "",
            connect="ssl verify none" if self.connects_tls else "",
        )  # fmt: skip
        argv = [find_program("haproxy"), "-db", "-f", path]
        return Server("haproxy", argv, self.folder, port=port)

    def _relay(self, more):
        argv = [self.relay, "0", str(self.upstream)] + more
        return Server("relay", argv, self.folder)

    def _mitmproxy(self):
        port = free_port()
        scheme = "https" if self.connects_tls else "http"
        argv = [find_program("mitmdump"), "--quiet", "--listen-host", "127.0.0.1",
                "--listen-port", str(port), "--ssl-insecure", "--mode",
                f"reverse:{scheme}://127.0.0.1:{self.upstream}", "--set",
                f"confdir={self.folder}/mitmproxy", "-w", str(self.tape)]  # fmt: skip
        return Server("mitmproxy", argv, self.folder, port=port)

    def _wstape(self, verb, rules):
        port_file = pathlib.Path(self.folder, "port")
        port_file.unlink(missing_ok=True)
        listen = "wss" if self.listens_tls else "ws"
        upstream = "wss" if self.connects_tls else "ws"
        argv = [self.wstape, *verb, "--listen", f"{listen}://127.0.0.1:0"]
        argv += ["--upstream", f"{upstream}://127.0.0.1:{self.upstream}"]
        argv += ["--port-file", str(port_file)]
        if self.listens_tls:
            argv += ["--tls-cert", self.certificate]
        if self.connects_tls:
            argv += ["--upstream-ca", self.certificate]
        for rule in rules:
            argv += ["--fault", rule]
        return Server("wstape", argv, self.folder, port_file=port_file)
