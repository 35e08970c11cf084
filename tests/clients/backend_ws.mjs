// A backend on `ws` and Node's HTTP server: backend_ws.mjs OPTIONS-JSON.
// Options: cert, key (TLS), deflate (false, true or "no-takeover"), host. Prints
// {"ready": port} first. What it answers over HTTP is what backend_aiohttp.py answers.
import crypto from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import path from 'node:path';
import {WebSocketServer} from 'ws';
import {binary, text} from './steps.mjs';
import {Peer, emit} from './wslogged.mjs';

const TYPES = {'.html': 'text/html', '.mjs': 'text/javascript'};
const options = JSON.parse(process.argv[2]);
const deflate = options.deflate ?? true;

async function answer(peer, message) {
  if (typeof message !== 'string' || !message.startsWith('{"do"')) {
    peer.send(message);
    return;
  }
  const order = JSON.parse(message);
  switch (order.do) {
    case 'text':
      peer.send(text(order.size));
      break;
    case 'binary':
      peer.send(binary(order.size));
      break;
    case 'fragments':
      peer.fragments(order.sizes.map(text));
      break;
    case 'ping':
      await peer.ping(order.data);
      peer.send('the pong came');
      break;
    case 'close':
      peer.close(order.code, order.reason);
      break;
    case 'abort':
      peer.ws.terminate();
      break;
    default:
      throw new Error(`no such order: ${message}`);
  }
}

function pairs(raw) {
  return raw.flatMap((name, i) => (i % 2 ? [] : [[name, raw[i + 1]]]));
}

function serve(request, response) {
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => {
    const body = Buffer.concat(parts);
    const {pathname} = new URL(request.url, 'http://localhost');
    if (pathname.startsWith('/static/')) {
      const name = path.basename(pathname);
      response.setHeader('Content-Type', TYPES[path.extname(name)]);
      response.end(fs.readFileSync(new URL(name, import.meta.url)));
    } else if (pathname === '/log') {
      emit({path: '/log', posted: JSON.parse(body)});
      response.end('thanks');
    } else if (pathname.startsWith('/stream/')) {
      for (let i = 0; i < Number(path.basename(pathname)); i++) {
        response.write(`chunk ${i}\n`);
      }
      response.end();
    } else {
      const sha = crypto.createHash('sha256').update(body).digest('hex').slice(0, 16);
      response.end(JSON.stringify({method: request.method, target: request.url,
        size: body.length, sha, headers: pairs(request.rawHeaders)}));
    }
  });
}

const server = options.cert
  ? https.createServer({cert: fs.readFileSync(options.cert),
    key: fs.readFileSync(options.key)}, serve)
  : http.createServer(serve);
const sockets = new WebSocketServer({
  server,
  autoPong: false,
  handleProtocols: (offered) => ['chat.v2', 'chat.v1'].find((p) => offered.has(p)) ?? false,
  perMessageDeflate: deflate && {threshold: 0, ...(deflate === 'no-takeover'
    && {serverNoContextTakeover: true, clientNoContextTakeover: true})},
});
sockets.on('connection', (ws, request) => {
  const peer = new Peer(ws, request.url);
  emit({path: request.url, open: true, protocol: ws.protocol, extensions: ws.extensions,
    headers: pairs(request.rawHeaders)});
  (async () => {
    for (let m = await peer.receive(); m !== null; m = await peer.receive()) {
      answer(peer, m);
    }
  })();
});
server.listen(0, options.host ?? '127.0.0.1',
  () => emit({ready: server.address().port}));
