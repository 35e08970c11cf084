"""Every client against every backend, over ws and wss on both legs: what both ends logged
is what the tape shows."""

import pytest

from ends import ALL, BACKENDS, CLIENTS, compare

SIZES = [0, 1, 125, 126, 127, 65535, 65536]
UNICODE = "þe quick brøwn 狐 🦊 – ‮ \u0000 end"
CONVERSATION = [
    *(["text", n] for n in SIZES),
    *(["binary", n] for n in SIZES),
    ["say", UNICODE],
    ["say", '{"type":"chat_message","message":"hello"}'],
    ["burst", 50, 40],
    ["ask", {"do": "fragments", "sizes": [5, 0, 300]}],
    ["ask", {"do": "ping", "data": "are you there?"}],
    ["text", 1 << 20],
    ["ask", {"do": "binary", "size": 1 << 20}],
]
OF_OUR_OWN = [["ping", ""], ["ping", "p" * 125], ["fragments", [10, 0, 70000, 3]]]
END = [["close", 1000, "done"]]
FOUR = [(False, False), (False, True), (True, False), (True, True)]


def tls_name(pair):
    return "-".join("wss" if tls else "ws" for tls in pair)


@pytest.mark.parametrize("legs", FOUR, ids=tls_name)
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", CLIENTS)
def test_conversation(name, backend, legs, backends, proxy, client, new_path):
    server = backends(backend, legs[1])
    w = proxy(server, legs[0])
    path = new_path()
    sees = CLIENTS[name][2]
    steps = CONVERSATION + (OF_OUR_OWN if sees == ALL else []) + END

    log = client(name, w, path, steps, tls=legs[0]).finish()
    server_log = server.log_of(path)
    w.stop()

    shown = w.show()
    c = compare(shown, path, log, server_log, sees)
    connection = shown.one("connection", connection=c)
    assert connection["status"] == 101
    assert bool(connection["tls"]) == legs[0]
    for side in ("client", "server"):
        data = [m for m in shown.all("message", connection=c, **{"from": side})
                if "message" in m]
        assert connection[f"from_{side}"]["messages"] == len(data)
