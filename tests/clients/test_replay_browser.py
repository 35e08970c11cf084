"""A page in Chromium with the tape as its web server and as its backend."""

import json
from urllib.parse import quote

import pytest

from ends import DATA, Backend, messages
from tapes import recorded
from test_chromium import STEPS, browse  # noqa: F401  (a fixture)


@pytest.mark.parametrize("backend,tls", [("node-ws", False), ("py-aiohttp", True)])
def test_page(backend, tls, backends, browse, replay, pki, tmp_path):  # noqa: F811
    """The log goes to a backend of its own: the page, its script and all that is said
    come from the tape."""
    args = ("--tls-cert", pki.good[0], "--tls-key", pki.good[1]) if tls else ()
    listen = "wss://127.0.0.1:0" if tls else "ws://127.0.0.1:0"
    logs = backends("py-aiohttp")

    def open_page(w):
        base = w.url("", "https" if tls else "http", "localhost")
        job = {"ws": w.url("/ws/page", "wss" if tls else "ws", "localhost"),
               "log": f"http://localhost:{logs.port}/log", "protocols": ["chat.v1"],
               "steps": STEPS + [["close", 1000, "done"]]}
        browse(f"{base}/static/page.html?job={quote(json.dumps(job))}")
        posted = logs.wait_for(path="/log")["posted"]
        with logs.changed:
            logs.lines[:] = [x for x in logs.lines if x.get("path") != "/log"]
        assert "error" not in posted[0], posted
        return posted

    end = Backend(backend)
    try:
        file, then = recorded(tmp_path / "then", end.url, open_page, *args, listen=listen)
    finally:
        end.kill()
    w = replay(file, *args, listen=listen)
    now = open_page(w)
    for direction in ("sent", "got"):
        assert messages(now, direction, DATA) == messages(then, direction, DATA)
    assert now[0] == then[0] and now[0]["protocol"] == "chat.v1"
    assert {"code": 1000, "kind": "close", "reason": "done"} in messages(now, "got")
