"""What the handshake carries passes unchanged: order, spelling, cookies, authorization,
subprotocols."""

import pytest

from ends import compare

TOKEN = "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln"
HEADERS = [["X-First", "1"], ["Authorization", TOKEN], ["cookie", 'a=1; b="two"; c=%20'],
           ["X-lower-UPPER", "tab\tand two  spaces"], ["x-a", "1"], ["X-Last", "~!@#"]]
STEPS = [["text", 1], ["close", 1000, ""]]


def sent_names(w):
    head = w.show().one("request")["head"]
    return [line.split(":")[0] for line in head.split("\r\n")[1:] if line]


@pytest.mark.parametrize("backend", ["py-websockets", "py-aiohttp", "node-ws"])
@pytest.mark.parametrize("name", ["py-websockets", "py-aiohttp", "node-ws"])
def test_headers_pass(name, backend, backends, proxy, client, new_path):
    server, path = backends(backend), new_path()
    w = proxy(server)
    log = client(name, w, path, STEPS, headers=HEADERS).finish()
    seen = server.log_of(path)[0]["headers"]
    w.stop()

    for name_, value in HEADERS:
        assert [name_, value] in seen
    # The order and the spelling are those of the client, as the tape has them.
    assert [n for n, _ in seen] == sent_names(w)
    host = [v for n, v in seen if n.lower() == "host"]
    assert host == [f"localhost:{server.port}"]
    compare(w.show(), path, log, server.of(path))


@pytest.mark.parametrize("backend", ["py-websockets", "py-aiohttp", "node-ws"])
@pytest.mark.parametrize("name", ["py-websockets", "py-aiohttp", "node-ws",
                                  "node-builtin"])
def test_subprotocol(name, backend, backends, proxy, client, new_path):
    server, path = backends(backend), new_path()
    w = proxy(server)
    log = client(name, w, path, STEPS, protocols=["other", "chat.v2", "chat.v1"]).finish()
    assert log[0]["protocol"] == "chat.v2"
    assert server.log_of(path)[0]["protocol"] == "chat.v2"


def test_token_as_subprotocol_is_refused_alike(backends, proxy, client, new_path):
    """A server that takes none of the offered subprotocols answers without one."""
    server, path = backends("py-websockets"), new_path()
    w = proxy(server)
    log = client("py-websockets", w, path, STEPS, protocols=["jwt.abc.def"]).finish()
    assert log[0]["protocol"] is None
    server.log_of(path)
    w.stop()
    assert "jwt.abc.def" in w.show().one("request")["head"]
    assert "Sec-WebSocket-Protocol" not in w.show().one("response")["head"]


def test_query_and_odd_targets(backends, proxy, client, new_path):
    server = backends("node-ws")
    w = proxy(server)
    target = new_path() + "?token=a%2Fb&x=[1]&y=%C3%A9"
    log = client("node-ws", w, target, STEPS).finish()
    seen = server.wait_for(path=target, end=True)
    assert seen and log
    w.stop()
    assert w.show().one("request")["target"] == target
