"""A page in Chromium talks through wstape; it posts its log over HTTP at the end."""

import json
import shutil
import subprocess
from urllib.parse import quote

import pytest

from ends import DATA, compare, messages
from test_matrix import SIZES, UNICODE, tls_name

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update",
         "--disable-sync", "--disable-extensions", "--disable-dev-shm-usage",
         "--disable-default-apps", "--metrics-recording-only", "--mute-audio"]
STEPS = [*(["text", n] for n in SIZES), *(["binary", n] for n in SIZES), ["say", UNICODE],
         ["burst", 50, 40], ["ask", {"do": "fragments", "sizes": [5, 0, 300]}],
         ["ask", {"do": "ping", "data": "are you there?"}], ["text", 1 << 20],
         ["ask", {"do": "binary", "size": 1 << 20}]]
FOUR = [(False, False), (False, True), (True, False), (True, True)]


@pytest.fixture
def browse(tmp_path, pki):
    """Open a URL in a fresh Chromium, until the end of the test."""
    running = []

    def start(url):
        binary = shutil.which("chromium") or shutil.which("chromium-browser")
        assert binary, "Chromium is not installed"
        folder = tmp_path / f"profile{len(running)}"
        running.append(subprocess.Popen(
            [binary, *FLAGS, f"--user-data-dir={folder}", url,
             f"--ignore-certificate-errors-spki-list={pki.spki(pki.good)}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=open(tmp_path / "chromium.txt", "wb")))

    yield start
    for p in running:
        p.terminate()
        try:
            p.wait(10)
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()


def run_page(browse, base, pages, job):
    """Open the page at `base`; `pages`: the Backend that gets its log."""
    browse(f"{base}/static/page.html?job={quote(json.dumps(job))}")
    posted = pages.wait_for(path="/log")["posted"]
    with pages.changed:
        pages.lines[:] = [line for line in pages.lines if line.get("path") != "/log"]
    assert "error" not in posted[0], posted
    return posted


@pytest.mark.parametrize("legs", FOUR, ids=tls_name)
@pytest.mark.parametrize("backend", ["node-ws", "py-aiohttp"])
def test_page(backend, legs, backends, proxy, browse, new_path):
    """The page itself comes through wstape too, and its log goes through it."""
    server, path = backends(backend, legs[1]), new_path()
    w = proxy(server, legs[0])
    base = w.url("", "https" if legs[0] else "http", "localhost")
    log = run_page(browse, base, server, {
        "ws": w.url(path, "wss" if legs[0] else "ws", "localhost"), "log": f"{base}/log",
        "steps": STEPS + [["close", 1000, "done"]], "protocols": ["chat.v1"]})
    server_log = server.log_of(path)
    w.stop()

    shown = w.show()
    compare(shown, path, log, server_log, DATA)
    assert log[0]["protocol"] == "chat.v1"
    assert {"code": 1000, "kind": "close", "reason": "done"} in messages(log, "got")
    assert any(r["target"].endswith("/static/page.html") or "/static/page.html?" in
               r["target"] for r in shown.all("request"))


@pytest.mark.parametrize("legs", [(False, False), (False, True)], ids=tls_name)
def test_page_and_python(legs, backends, proxy, browse, new_path):
    """The backend speaks only WebSocket; page and log go around wstape."""
    server, pages, path = backends("py-websockets", legs[1]), backends("py-aiohttp"), \
        new_path()
    w = proxy(server, legs[0])
    base = f"http://localhost:{pages.port}"
    close = {"do": "close", "code": 4001, "reason": "over ünd out"}
    log = run_page(browse, base, pages, {"ws": w.url(path, host="localhost"),
                                         "log": f"{base}/log",
                                         "steps": [*STEPS, ["ask-end", close]]})
    server_log = server.log_of(path)
    w.stop()

    compare(w.show(), path, log, server_log, DATA)
    assert {"kind": "close", "code": 4001, "reason": "over ünd out"} in messages(log, "got")
