"""A client on aiohttp: client_aiohttp.py URL STEPS OPTIONS. Options: ca, protocols,
headers, deflate."""

import asyncio
import json
import ssl
import sys
from urllib.parse import urlsplit

import aiohttp

from aiologged import Peer
from steps import run
from wirelog import emit


async def main(url, steps, options):
    path = urlsplit(url).path
    tls = ssl.create_default_context(cafile=options["ca"]) if options.get("ca") else None
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(
                url, ssl=tls, autoping=False, autoclose=False, max_msg_size=1 << 22,
                compress=15 if options.get("deflate", True) else 0,
                protocols=options.get("protocols") or [],
                headers=[tuple(h) for h in options.get("headers", [])]) as ws:
            emit(path=path, open=True, protocol=ws.protocol)
            peer = Peer(ws, path, None)
            peer.start()
            await run(peer, path, steps)
    emit(path=path, end=True)


asyncio.run(main(sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])))
