"""A backend on aiohttp, WebSocket and HTTP: backend_aiohttp.py OPTIONS-JSON.

Options: cert, key (TLS), deflate, host. Prints {"ready": port} first. Below /ws it speaks
WebSocket. /static/NAME serves this folder's page; POST /log prints what was posted;
/stream/N answers N chunks; anything else answers what was asked, as JSON.
"""

import asyncio
import hashlib
import json
import ssl
import sys
from pathlib import Path

from aiohttp import web

from aiologged import Peer
from answers import answer
from wirelog import emit

HERE = Path(__file__).parent
DEFLATE = True


async def socket(request):
    ws = web.WebSocketResponse(autoping=False, autoclose=False, compress=DEFLATE,
                               protocols=["chat.v2", "chat.v1"], max_msg_size=1 << 22)
    await ws.prepare(request)
    path = request.path
    emit(path=path, open=True, protocol=ws.ws_protocol,
         headers=[[k.decode(), v.decode()] for k, v in request.raw_headers])
    peer = Peer(ws, path, request.transport)
    peer.start()
    jobs = []
    while True:
        message = await peer.receive()
        if message is None:
            break
        # A task: waiting for a pong must not stop the echo of what follows.
        jobs.append(asyncio.ensure_future(answer(peer, message)))
        if not isinstance(message, str) or '"ping"' not in message:
            await jobs[-1]
    for job in jobs:
        job.cancel()
    await asyncio.gather(*jobs, return_exceptions=True)
    emit(path=path, end=True)
    return ws


async def log(request):
    emit(path="/log", posted=await request.json())
    return web.Response(text="thanks", headers={"Access-Control-Allow-Origin": "*"})


async def stream(request):
    answer_ = web.StreamResponse()
    answer_.enable_chunked_encoding()
    await answer_.prepare(request)
    for i in range(int(request.match_info["n"])):
        await answer_.write(b"chunk %d\n" % i)
    await answer_.write_eof()
    return answer_


async def static(request):
    return web.FileResponse(HERE / Path(request.match_info["name"]).name)


async def other(request):
    body = await request.read()
    return web.json_response({
        "method": request.method, "target": request.raw_path, "size": len(body),
        "sha": hashlib.sha256(body).hexdigest()[:16],
        "headers": [[k.decode(), v.decode()] for k, v in request.raw_headers]})


async def main(options):
    global DEFLATE
    DEFLATE = options.get("deflate", True)
    tls = None
    if options.get("cert"):
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(options["cert"], options["key"])
    app = web.Application(client_max_size=1 << 26)
    app.router.add_get("/ws/{name}", socket)
    app.router.add_post("/log", log)
    app.router.add_get("/stream/{n}", stream)
    app.router.add_get("/static/{name}", static)
    app.router.add_route("*", "/{tail:.*}", other)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, options.get("host", "127.0.0.1"), 0, ssl_context=tls)
    await site.start()
    emit(ready=site._server.sockets[0].getsockname()[1])
    await asyncio.Event().wait()


asyncio.run(main(json.loads(sys.argv[1])))
