"""curl through `record`: plain HTTP next to the WebSocket, as it came and as it went."""

import hashlib
import json
import subprocess

import pytest

from ends import payload_of

FOUR = [(False, False), (False, True), (True, False), (True, True)]
TYPE = ["-H", "Content-Type: application/octet-stream"]


def curl(w, pki, target, *args, tls=False, raw=False):
    url = w.url(target, "https" if tls else "http", "localhost")
    p = subprocess.run(["curl", "-sS", "--cacert", str(pki.ca_file), "--max-time", "30",
                        *map(str, args), url], capture_output=True)
    assert p.returncode == 0, p.stderr.decode()
    return p.stdout if raw else p.stdout.decode()


def digest(data):
    return hashlib.sha256(data).hexdigest()[:16]


@pytest.mark.parametrize("legs", FOUR)
@pytest.mark.parametrize("backend", ["py-aiohttp", "node-ws"])
def test_get_and_post(backend, legs, backends, proxy, pki, tmp_path):
    w = proxy(backends(backend, legs[1]), legs[0])
    body = bytes(range(256)) * 2000
    (tmp_path / "body").write_bytes(body)

    told = json.loads(curl(w, pki, "/a/b?c=d%20e", "-H", "X-Order-1: a", "-H",
                           "x-order-2: b", "-b", "k=v", tls=legs[0]))
    posted = json.loads(curl(w, pki, "/up", "--data-binary", f"@{tmp_path}/body", *TYPE,
                             tls=legs[0]))
    chunked = json.loads(curl(w, pki, "/up", "--data-binary", f"@{tmp_path}/body", *TYPE,
                              "-H", "Transfer-Encoding: chunked", tls=legs[0]))
    w.stop()

    assert (told["method"], told["target"]) == ("GET", "/a/b?c=d%20e")
    names = [n for n, _ in told["headers"]]
    assert names.index("X-Order-1") + 1 == names.index("x-order-2")
    for answer in (posted, chunked):
        assert (answer["size"], answer["sha"]) == (len(body), digest(body))
    shown = w.show()
    first = shown.all("request")[0]
    assert [line.split(":")[0] for line in first["head"].split("\r\n")[1:] if line] == names
    uploads = [payload_of(b) for b in shown.all("body", **{"from": "client"})]
    assert body in uploads


@pytest.mark.parametrize("backend", ["py-aiohttp", "node-ws"])
def test_chunked_answer(backend, backends, proxy, pki):
    w = proxy(backends(backend))
    expected = "".join(f"chunk {i}\n" for i in range(500))
    assert curl(w, pki, "/stream/500") == expected
    w.stop()
    bodies = w.show().all("body", **{"from": "server"})
    assert len(bodies) == 1 and bodies[0]["text"] == expected


@pytest.mark.parametrize("backend", ["py-aiohttp", "node-ws"])
def test_head_expect_and_keep_alive(backend, backends, proxy, pki, tmp_path):
    w = proxy(backends(backend))
    assert curl(w, pki, "/x", "-I").startswith("HTTP/1.1 200")
    (tmp_path / "body").write_bytes(b"z" * 5000)
    answer = curl(w, pki, "/expect", "-H", "Expect: 100-continue", "--data-binary",
                  f"@{tmp_path}/body")
    assert json.loads(answer)["size"] == 5000
    port = w.port
    many = [f"http://localhost:{port}/keep/{i}" for i in range(20)]
    p = subprocess.run(["curl", "-sS", *many, "-w", "%{num_connects}\n"],
                       capture_output=True, text=True, timeout=60)
    assert p.returncode == 0, p.stderr
    w.stop()

    shown = w.show()
    kept = [r["connection"] for r in shown.all("request") if "/keep/" in r["target"]]
    assert len(kept) == 20 and len(set(kept)) == 1
    statuses = [r["status"] for r in shown.all("response")]
    assert 100 in statuses and statuses.count(200) == 22


def test_health_next_to_a_socket(backends, proxy, pki, client, new_path):
    server, path = backends("py-aiohttp"), new_path()
    w = proxy(server)
    one = client("py-websockets", w, path, [["text", 5], ["hang"]])
    one.wait_for(hanging=True)
    assert json.loads(curl(w, pki, "/health"))["target"] == "/health"
    one.kill()
    server.log_of(path)
