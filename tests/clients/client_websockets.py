"""A client on the Python `websockets` library: client_websockets.py URL STEPS OPTIONS.

Options: ca, protocols, headers, deflate.
"""

import asyncio
import json
import ssl
import sys
from urllib.parse import urlsplit

from websockets.exceptions import ConnectionClosed
from websockets.legacy.client import connect

from steps import run
from wirelog import emit
from wslogged import LoggedClient, Peer


class Client(Peer):
    async def receive(self):
        try:
            return await self.ws.recv()
        except ConnectionClosed:
            return None


async def main(url, steps, options):
    path = urlsplit(url).path

    def protocol(*args, **kw):
        c = LoggedClient(*args, **kw)
        c.log_path = path
        return c

    tls = ssl.create_default_context(cafile=options["ca"]) if options.get("ca") else None
    async with connect(
            url, ssl=tls, create_protocol=protocol, ping_interval=None, max_size=1 << 22,
            compression="deflate" if options.get("deflate", True) else None,
            subprotocols=options.get("protocols"), close_timeout=5,
            extra_headers=[tuple(h) for h in options.get("headers", [])]) as ws:
        emit(path=path, open=True, protocol=ws.subprotocol,
             extensions=[e.name for e in ws.extensions])
        await run(Client(ws), path, steps)


asyncio.run(main(sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])))
