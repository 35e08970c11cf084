"""Every `violate` kind: what leaves, byte for byte, and what two libraries say of it.

Each library first gets the very frames from a raw peer, without wstape; what it says then
is what it has to say of the same frames from wstape.
"""

import pytest

from agent import Agent, python_client
from rig import frames, raw
from rig.faults import faults_of
from told import NodeServer, meanwhile, node_client, start_node

HELLO = b"hello"


def broken(kind, mask=None, opcode=frames.TEXT):
    """The frames that a rule makes of a message "hello"."""
    whole = frames.frame(opcode, HELLO, mask=mask)
    if kind == "mask":
        return frames.frame(opcode, HELLO, mask=None if mask else frames.MASK)
    return {
        "rsv": frames.frame(opcode, HELLO, mask=mask, rsv=2),
        "opcode": frames.frame(3, HELLO, mask=mask),
        "length": frames.frame(opcode, HELLO, mask=mask, form=16),
        "control_fragment": frames.frame(frames.PING, fin=False, mask=mask) + whole,
        "utf8": frames.frame(opcode, b"\xffello", mask=mask),
        "close_code": frames.close(1005, mask=mask),  # and nothing behind it
        "orphan_continuation": frames.frame(frames.CONTINUATION, mask=mask) + whole,
    }[kind]


KINDS = ["rsv", "mask", "opcode", "length", "control_fragment", "utf8", "close_code",
         "orphan_continuation"]
# What Python's websockets says, and the close code it answers with.
PYTHON = {
    "rsv": ("reserved bits must be 0", 1002),
    "mask": ("incorrect masking", 1002),
    "opcode": ("invalid opcode", 1002),
    "control_fragment": ("fragmented control frame", 1002),
    "utf8": ("'utf-8' codec can't decode byte 0xff in position 0: invalid start byte",
             1007),
    "close_code": ("invalid status code", 1002),
    "orphan_continuation": ("unexpected opcode", 1002),
}
# What Node's ws says: of what a server sent, and of what a client sent where it differs.
NODE = {
    "rsv": ("RSV2 and RSV3 must be clear", "WS_ERR_UNEXPECTED_RSV_2_3"),
    "mask": ("MASK must be clear", "WS_ERR_UNEXPECTED_MASK"),
    "opcode": ("invalid opcode 3", "WS_ERR_INVALID_OPCODE"),
    "control_fragment": ("FIN must be set", "WS_ERR_EXPECTED_FIN"),
    "utf8": ("invalid UTF-8 sequence", "WS_ERR_INVALID_UTF8"),
    "close_code": ("invalid status code 1005", "WS_ERR_INVALID_CLOSE_CODE"),
    "orphan_continuation": ("invalid opcode 0", "WS_ERR_INVALID_OPCODE"),
}
NODE_SERVER = {**NODE, "mask": ("MASK must be set", "WS_ERR_EXPECTED_MASK")}


def check_python(kind, cause, text, code):
    """Neither library minds a length in a longer form than needed: RFC 6455, section 5.2
    forbids it, but they read it."""
    assert str(cause) == PYTHON[kind][0]
    assert code == 1006, "the connection failed"
    assert text.startswith(f"sent {PYTHON[kind][1]} "), text


def check_node(kind, errors, expected):
    assert len(errors) == 1, errors
    assert (errors[0][0].removeprefix("Invalid WebSocket frame: "), errors[0][1]) == \
        expected[kind]


@pytest.fixture(scope="module")
def python_server():
    with Agent() as one:
        yield one


@pytest.fixture(scope="module")
def node_server():
    one = NodeServer()
    yield one
    one.kill()


def raw_server(listener, bad):
    """Send `bad` to whoever connects, and end when it has closed."""
    end = listener.take()
    head = end.read_head()
    end.send(frames.response(head) + bad)
    at = len(head)
    while True:
        (first, _, payload), at = end.read_frame(at)
        if first & 15 == frames.CLOSE:
            end.close()
            return payload


def raw_client(port, path, bad):
    end = raw.connect(port)
    end.send(frames.request(path))
    end.read_head()
    end.send(bad)
    if bad == broken("length", frames.MASK):
        end.send(frames.close(1000, mask=frames.MASK))
    end.read_end()
    end.close()


# ---- without wstape: what they say of such frames ----


@pytest.mark.parametrize("kind", KINDS)
def test_python_client_knows(kind, listener):
    story = meanwhile(python_client, listener.url(), count=1)
    raw_server(listener, broken(kind))
    if kind == "length":
        assert story.result().messages == ["hello"]
    else:
        check_python(kind, story.result().cause, story.result().text, 1006)


@pytest.mark.parametrize("kind", KINDS)
def test_node_client_knows(kind, listener):
    client = start_node(listener.url(), count=1)
    raw_server(listener, broken(kind))
    lines = client.finish()
    if kind == "length":
        assert "hello" in [line.get("text") for line in lines]
    else:
        check_node(kind, [(x["error"], x["code"]) for x in lines if "error" in x], NODE)


@pytest.mark.parametrize("kind", KINDS)
def test_python_server_knows(kind, python_server):
    path = f"/echo/direct/{kind}"
    raw_client(python_server.port, path, broken(kind, frames.MASK))
    visit = python_server.ended(path)
    if kind == "length":
        assert visit.received == ["hello"]
    else:
        check_python(kind, visit.cause, visit.text, 1006)


@pytest.mark.parametrize("kind", KINDS)
def test_node_server_knows(kind, node_server):
    path = f"/direct/{kind}"
    raw_client(node_server.port, path, broken(kind, frames.MASK))
    story = node_server.story(path)
    if kind == "length":
        assert story.texts == ["hello"]
    else:
        check_node(kind, story.errors, NODE_SERVER)


# ---- the same from a rule ----


@pytest.mark.parametrize("kind", KINDS)
def test_server_to_client(kind, inject, python_server, node_server):
    """What the server sends is broken, before the clients' eyes."""
    rule = f"violate={kind},from=server,message=1"
    w = inject(f"ws://localhost:{python_server.port}", rule)
    story = python_client(w.url("/echo/x"), ["hello"], 1)
    node = node_client(w.url("/echo/x"), say=["hello"], count=1)
    if kind == "length":
        assert story.messages == ["hello"] and node.texts == ["hello"]
        assert story.text is None and node.errors == []
        return
    assert story.messages == [] and node.texts == []
    check_python(kind, story.cause, story.text, story.code)
    check_node(kind, node.errors, NODE)


@pytest.mark.parametrize("kind", KINDS)
def test_client_to_python_server(kind, inject, python_server):
    w = inject(python_server.url, f"violate={kind},from=client,message=1")
    path = f"/echo/rule/{kind}"
    story = python_client(w.url(path), ["hello"], 1)
    visit = python_server.ended(path)
    if kind == "length":
        assert visit.received == ["hello"] and story.messages == ["hello"]
        return
    assert visit.received == [] and story.messages == []
    check_python(kind, visit.cause, visit.text, visit.code)
    assert story.code == (1001 if kind == "close_code" else PYTHON[kind][1])


@pytest.mark.parametrize("kind", KINDS)
def test_client_to_node_server(kind, inject, node_server):
    w = inject(node_server.url, f"violate={kind},from=client,message=1")
    path = f"/rule/{kind}"
    node = node_client(w.url(path), say=["hello"], count=1)
    told = node_server.story(path)
    if kind == "length":
        assert told.texts == ["hello"] and node.texts == ["hello"]
        return
    assert told.texts == [] and node.texts == []
    check_node(kind, told.errors, NODE_SERVER)


# ---- the very bytes ----


@pytest.mark.parametrize("kind", KINDS)
def test_bytes_to_the_client(kind, inject, listener):
    w = inject(listener.url(), f"violate={kind},from=server,message=2")
    client, server = raw.upgrade(w.port, listener)
    at = len(client.got)
    first = frames.frame(frames.TEXT, b"before")
    server.send(first + frames.frame(frames.TEXT, HELLO))
    expected = first + broken(kind)
    if kind == "mask":
        got = client.read_to(at + len(expected))[at + len(first):]
        assert got[:2] == b"\x81\x85", "one frame, masked, of five bytes"
        assert frames.xor(got[6:], got[2:6]) == HELLO
    else:
        assert client.read_to(at + len(expected))[at:] == expected
    client.close()
    server.close()


@pytest.mark.parametrize("kind", KINDS)
def test_bytes_to_the_server(kind, inject, listener):
    """As above, but each frame has a masking key of its own; `mask` leaves it out."""
    w = inject(listener.url(), f"violate={kind},from=client,message=2")
    client, server = raw.upgrade(w.port, listener)
    at = len(server.got)
    first = frames.frame(frames.TEXT, b"before", mask=b"1234")
    client.send(first + frames.frame(frames.TEXT, HELLO, mask=frames.MASK))
    expected = broken(kind, frames.MASK)
    got = server.read_to(at + len(first) + len(expected))[at:]
    assert got.startswith(first)
    if kind == "mask":
        assert got[len(first):] == expected
    else:
        assert unmasked(got[len(first):]) == unmasked(expected)
        assert all(mask for _, mask, _ in each(got[len(first):]))
    client.close()
    server.close()


def each(data):
    """The frames in `data`: (all header bytes but the mask, mask, payload)."""
    at, out = 0, []
    while at < len(data):
        (_, mask, payload), end = frames.parse_one(data, at)
        header = len(data[at:end]) - len(payload) - 4 * (mask is not None)
        out.append((data[at:at + header], mask, payload))
        at = end
    return out


def unmasked(data):
    return [(header, payload) for header, _, payload in each(data)]


@pytest.mark.parametrize("kind", [k for k in KINDS if k not in ("utf8", "mask")])
def test_binary_messages(kind, inject, listener):
    w = inject(listener.url(), f"violate={kind},from=server,message=1")
    client, server = raw.upgrade(w.port, listener)
    at = len(client.got)
    server.send(frames.frame(frames.BINARY, HELLO))
    expected = broken(kind, opcode=frames.BINARY)
    assert client.read_to(at + len(expected))[at:] == expected
    client.close()
    server.close()


def test_binary_is_never_utf8(inject, listener):
    """A rule that cannot apply lets it pass, and says so."""
    w = inject(listener.url(), "violate=utf8,from=server,name=no text")
    client, server = raw.upgrade(w.port, listener)
    at = len(client.got)
    whole = frames.frame(frames.BINARY, HELLO)
    server.send(whole)
    assert client.read_to(at + len(whole))[at:] == whole
    client.close()
    server.close()
    w.stop()
    (fault,) = faults_of(w.tape)
    assert (fault.rule, fault.applied, fault.message) == ("no text", 0, 1)
    assert "UTF-8" in fault.text
