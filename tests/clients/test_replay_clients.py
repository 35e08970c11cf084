"""Other people's clients against the tape of what they did: what they log is what they
logged when there was a backend."""

import json

import pytest

from ends import ALL, BACKENDS, CLIENTS, Backend, messages, start_client
from product import Product
from tapes import recorded
from test_matrix import END, UNICODE
from told import NodeServer, node_client

CONVERSATION = [
    *(["text", n] for n in (0, 126, 65536)), *(["binary", n] for n in (0, 125, 65535)),
    ["say", UNICODE], ["burst", 20, 40], ["ask", {"do": "fragments", "sizes": [5, 0, 300]}],
    ["ask", {"do": "ping", "data": "are you there?"}],
    ["ask", {"do": "text", "size": 200000}]]
OF_OUR_OWN = [["ping", "p" * 125], ["fragments", [10, 0, 70000, 3]]]
LONG = "they said that it will be said again " * 40
SAY = [json.dumps({"type": "chat_message", "message": f"{n} {LONG}",
                   "request_id": f"request-{n}", "sent_at": 10**6 + n,
                   "token": f"tok_{n}x"})
       for n in range(8)]
NO_TAKEOVER = {"threshold": 0, "serverNoContextTakeover": True,
               "clientNoContextTakeover": True}
DEFLATES = {"takeover": {"threshold": 0}, "no-takeover": NO_TAKEOVER,
            "small-window": {"threshold": 0, "serverMaxWindowBits": 9,
                             "clientMaxWindowBits": 9},
            "off": False}


def steps_of(name):
    return CONVERSATION + (OF_OUR_OWN if CLIENTS[name][2] == ALL else []) + END


def talk(w, legs, pki, clients=CLIENTS):
    """All clients at once, each on a path of its own; their logs."""
    running = {n: start_client(n, w.url(f"/ws/{n}", "wss" if legs else "ws", "localhost"),
                               steps_of(n), pki.ca_file if legs else None)
               for n in clients}
    return {n: p.finish() for n, p in running.items()}


def serving(pki, tls):
    if not tls:
        return (), "ws://127.0.0.1:0"
    return ("--tls-cert", pki.good[0], "--tls-key", pki.good[1]), "wss://127.0.0.1:0"


@pytest.mark.parametrize("backend,tls", [*((b, False) for b in BACKENDS),
                                         ("node-ws", True)])
def test_same_clients(backend, tls, pki, replay, tmp_path):
    args, listen = serving(pki, tls)
    end = Backend(backend)
    try:
        file, then = recorded(tmp_path, end.url, lambda w: talk(w, tls, pki), *args,
                              listen=listen)
    finally:
        end.kill()
    w = replay(file, "--pace", "max", *args, listen=listen)
    now = talk(w, tls, pki)
    for name, (_, _, sees) in CLIENTS.items():
        for direction in ("sent", "got"):
            assert messages(now[name], direction, sees) == \
                messages(then[name], direction, sees), (name, direction)
        heads = [next(line for line in log if "open" in line)
                 for log in (then[name], now[name])]
        assert heads[0] == heads[1]


@pytest.fixture(scope="module")
def chats(tmp_path_factory):
    """Tapes of a long chat, by what the backend agreed to; what the client was told."""
    tapes = {}
    with Product(compression="deflate") as product:
        tapes["python"] = recorded(
            tmp_path_factory.mktemp("python"), product.url, lambda w: node_client(
                w.url("/ws"), say=SAY, count=41, deflate=DEFLATES["takeover"]))
    for name in DEFLATES:
        server = NodeServer(deflate=DEFLATES[name])
        tapes[name] = recorded(
            tmp_path_factory.mktemp(name), server.url, lambda w: node_client(
                w.url("/ws"), say=SAY, count=8, deflate=DEFLATES["takeover"]))
        server.kill()
    return tapes


@pytest.mark.parametrize("live", DEFLATES)
@pytest.mark.parametrize("recorded_with", ["python", *DEFLATES])
def test_deflate(recorded_with, live, chats, replay):
    """As the tape has it, as far as the live client offers it."""
    file, then = chats[recorded_with]
    w = replay(file, "--pace", "max")
    log = node_client(w.url("/ws"), say=SAY, count=len(then.texts), deflate=DEFLATES[live])
    assert log.texts == then.texts and log.errors == []
    assert len(log.texts) == (41 if recorded_with == "python" else 8)
    agreed = live != "off" and recorded_with != "off"
    assert ("permessage-deflate" in log.of("extensions")[0]) == agreed
    if live == recorded_with:
        assert log.of("extensions") == then.of("extensions")
    if agreed and live == "no-takeover":
        upgrade = log.of("upgrade")[0]["sec-websocket-extensions"]
        assert "server_no_context_takeover" in upgrade
