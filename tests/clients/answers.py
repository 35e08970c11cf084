"""What a backend answers, the same for both Python backends.

`peer` has send(data), fragments(parts), ping(data) (returns when the pong is there),
close(code, reason), abort().
"""

import json

from wirelog import binary, text


async def answer(peer, message):
    """Do what the message asks for; echo it when it asks for nothing."""
    if not isinstance(message, str) or not message.startswith('{"do"'):
        await peer.send(message)
        return
    order = json.loads(message)
    do = order["do"]
    if do == "text":
        await peer.send(text(order["size"]))
    elif do == "binary":
        await peer.send(binary(order["size"]))
    elif do == "fragments":
        await peer.fragments([text(n) for n in order["sizes"]])
    elif do == "ping":
        await peer.ping(order["data"])
        await peer.send("the pong came")
    elif do == "close":
        await peer.close(order["code"], order.get("reason", ""))
    elif do == "abort":
        peer.abort()
    else:
        raise ValueError(do)
