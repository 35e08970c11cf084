"""A backend on the Python `websockets` library: backend_websockets.py OPTIONS-JSON.

Options: cert, key (TLS), deflate (bool), host. Prints {"ready": port} first.
"""

import asyncio
import json
import ssl
import sys

from websockets.exceptions import ConnectionClosed
from websockets.legacy.server import serve

from answers import answer
from wirelog import emit
from wslogged import LoggedServer, Peer


async def talk(ws, *_):
    emit(path=ws.path, open=True, protocol=ws.subprotocol,
         headers=list(ws.request_headers.raw_items()),
         extensions=[e.name for e in ws.extensions])
    peer = Peer(ws)

    async def serve_one(message):
        try:
            await answer(peer, message)
        except ConnectionClosed:
            pass

    try:
        async for message in ws:
            # A task: to wait for a pong, the library needs us to go on reading.
            asyncio.ensure_future(serve_one(message))
    except ConnectionClosed:
        pass


async def main(options):
    tls = None
    if options.get("cert"):
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(options["cert"], options["key"])
    server = await serve(
        talk, options.get("host", "127.0.0.1"), 0, ssl=tls, create_protocol=LoggedServer,
        compression="deflate" if options.get("deflate", True) else None,
        subprotocols=["chat.v2", "chat.v1"], ping_interval=None, max_size=1 << 22,
        close_timeout=5)
    emit(ready=server.sockets[0].getsockname()[1])
    await asyncio.Event().wait()


asyncio.run(main(json.loads(sys.argv[1])))
