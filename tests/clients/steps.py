"""What a client does, step by step, the same for every client library.

A client is an object with: send(data), fragments(parts), ping(data) (returns when the
pong is there), close(code, reason), receive() (the next message, None when closed).
"""

import json

from wirelog import binary, emit, text


async def run(client, path, steps):
    for step in steps:
        await one(client, path, *step)


async def one(client, path, name, *args):
    if name == "text":
        await echo(client, text(args[0]))
    elif name == "binary":
        await echo(client, binary(args[0]))
    elif name == "say":
        await echo(client, args[0])
    elif name == "burst":
        count, size = args
        for _ in range(count):
            await client.send(text(size))
        for _ in range(count):
            assert await client.receive() == text(size)
    elif name == "fragments":
        parts = [text(n) for n in args[0]]
        await client.fragments(parts)
        assert await client.receive() == "".join(parts)
    elif name == "ping":
        await client.ping(args[0])
    elif name == "ask":
        await client.send(json.dumps(args[0]))
        got = await client.receive()
        assert got is not None, f"closed instead of an answer to {args[0]}"
    elif name == "close":
        await client.close(*args)
        assert await client.receive() is None
    elif name == "ask-end":
        await client.send(json.dumps(args[0]))
        assert await client.receive() is None
    elif name == "hang":
        emit(path=path, hanging=True)
        await client.receive()
    else:
        raise ValueError(name)


async def echo(client, message):
    await client.send(message)
    back = await client.receive()
    assert back == message, (message[:40], back and back[:40])
