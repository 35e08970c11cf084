"""How conversations end: close codes from either side, no code, and ends without a close
frame; each the same at both ends and on the tape."""

import pytest

from ends import ALL, CLIENTS, compare

CLOSES = [(1000, "done"), (1001, ""), (1011, "Internal error"), (4000, "ünser eigener"),
          (1013, "try again later")]
LIBRARIES = ["py-websockets", "py-aiohttp", "node-ws"]
SERVERS = ["py-websockets", "py-aiohttp", "node-ws"]


@pytest.mark.parametrize("code, reason", CLOSES)
@pytest.mark.parametrize("backend", SERVERS)
@pytest.mark.parametrize("name", [*LIBRARIES, "node-builtin"])
def test_server_closes(name, backend, code, reason, backends, proxy, client, new_path):
    server, path = backends(backend), new_path()
    w = proxy(server)
    order = {"do": "close", "code": code, "reason": reason}

    log = client(name, w, path, [["text", 5], ["ask-end", order]]).finish()
    server_log = server.log_of(path)
    w.stop()

    shown = w.show()
    c = compare(shown, path, log, server_log, CLIENTS[name][2])
    # The browser's WebSocket tells what close came, but not what it answered.
    assert [(m["code"], m["reason"]) for m in log
            if m.get("kind") == "close" and m["dir"] == "got"] == [(code, reason)]
    first = shown.all("message", connection=c, kind="close")[0]
    assert (first["from"], first["code"], first["reason"]) == ("server", code, reason)


@pytest.mark.parametrize("code, reason", [c for c in CLOSES if c[0] not in (1001, 1013)])
@pytest.mark.parametrize("backend", SERVERS)
@pytest.mark.parametrize("name", LIBRARIES)
def test_client_closes(name, backend, code, reason, backends, proxy, client, new_path):
    server, path = backends(backend), new_path()
    w = proxy(server)

    log = client(name, w, path, [["binary", 5], ["close", code, reason]]).finish()
    server_log = server.log_of(path)
    w.stop()

    shown = w.show()
    c = compare(shown, path, log, server_log, ALL)
    first = shown.all("message", connection=c, kind="close")[0]
    assert (first["from"], first["code"], first["reason"]) == ("client", code, reason)


@pytest.mark.parametrize("backend", ["py-websockets", "node-ws"])
def test_close_without_code(backend, backends, proxy, client, new_path):
    server, path = backends(backend), new_path()
    w = proxy(server)
    log = client("node-ws", w, path, [["text", 3], ["close"]]).finish()
    server_log = server.log_of(path)
    w.stop()

    c = compare(w.show(), path, log, server_log)
    close = w.show().all("message", connection=c, kind="close")[0]
    assert close["size"] == 0 and not close.get("reason")


@pytest.mark.parametrize("legs", [(False, False), (True, True)], ids=["plain", "tls"])
@pytest.mark.parametrize("backend", SERVERS)
def test_client_is_killed(backend, legs, backends, proxy, client, new_path):
    server, path = backends(backend, legs[1]), new_path()
    w = proxy(server, legs[0])
    one = client("node-ws", w, path, [["text", 10], ["hang"]], tls=legs[0])
    one.wait_for(hanging=True)
    one.kill()
    server_log = server.log_of(path)
    w.stop()

    shown = w.show()
    c = compare(shown, path, one.of(path), server_log)
    assert not shown.all("message", connection=c, kind="close", **{"from": "client"})
    end = shown.one("end", connection=c, side="client")
    assert end["by"] == "peer"
    assert end["how"] in (("truncated", "reset", "fin") if legs[0] else ("fin", "reset"))


@pytest.mark.parametrize("name", ["py-websockets", "py-aiohttp", "node-ws"])
def test_server_aborts(name, backends, proxy, client, new_path):
    server, path = backends("node-ws"), new_path()
    w = proxy(server)
    log = client(name, w, path, [["text", 10], ["ask-end", {"do": "abort"}]]).finish()
    server_log = server.log_of(path)
    w.stop()

    shown = w.show()
    c = compare(shown, path, log, server_log, ALL - {"close"})
    assert not shown.all("message", connection=c, kind="close", **{"from": "server"})
    assert shown.one("end", connection=c, side="server")["by"] == "peer"
