"""A browser fails the connection for each violation: for a length in a longer form than
needed too, which Python's websockets and Node's ws read without a word. It does not tell a
page why; a page's WebSocket without a violation shows that it is nothing else."""

import http.server
import json
import queue
import shutil
import subprocess
import threading

import pytest

from agent import Agent
from test_chromium import FLAGS
from test_violations import KINDS

PAGE = """<!doctype html><title>violations</title><script>
const kinds = %s, told = {};
function visit(kind) {
  return new Promise((resolve) => {
    const ws = new WebSocket('%s/echo/' + kind);
    const messages = [];
    ws.onopen = () => ws.send('hello');
    ws.onmessage = (e) => { messages.push(e.data); ws.close(1000); };
    ws.onclose = (e) => { told[kind] = {messages, code: e.code}; resolve(); };
  });
}
(async () => {
  for (const kind of kinds) await visit(kind);
  await fetch('/told', {method: 'POST', body: JSON.stringify(told)});
})();
</script>"""

class Pages:
    """Serves one page and takes what it posts."""

    def __init__(self):
        pages = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = pages.html.encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(204)
                self.end_headers()
                pages.posted.put(json.loads(body))

            def log_message(self, *_):
                pass

        self.html, self.posted = "", queue.Queue()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/"


@pytest.fixture
def pages():
    one = Pages()
    yield one
    one.server.shutdown()
    one.server.server_close()


def test_chromium(inject, pages, tmp_path):
    binary = shutil.which("chromium") or shutil.which("chromium-browser")
    assert binary, "Chromium is not installed"
    with Agent() as agent, open(tmp_path / "chromium.txt", "wb") as log:
        w = inject(agent.url, *(f"violate={k},from=server,path=/echo/{k}" for k in KINDS))
        pages.html = PAGE % (json.dumps(["none", *KINDS]), w.url("", host="localhost"))
        browser = subprocess.Popen(
            [binary, *FLAGS, f"--user-data-dir={tmp_path}/profile", pages.url],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log)
        try:
            told = pages.posted.get(timeout=40)
        finally:
            browser.terminate()
            browser.wait(20)
    assert told.pop("none") == {"messages": ["hello"], "code": 1000}
    assert told == {kind: {"messages": [], "code": 1006} for kind in KINDS}
