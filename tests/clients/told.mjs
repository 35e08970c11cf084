// A client on `ws` that tells all that happens to it, a JSON line each: told.mjs URL
// OPTIONS. Options: say (messages), file (JSON list of messages), count (close after so
// many, default: wait for the end), until (close after this text), protocols, headers,
// deflate (ws's options), timeout (milliseconds, for the handshake), alive (milliseconds:
// ping, and terminate when no pong came by the next ping).
import fs from 'node:fs';
import WebSocket from 'ws';

const [url, json] = process.argv.slice(2);
const options = JSON.parse(json);
const start = process.hrtime.bigint();
let got = 0;

function tell(fields) {
  const time = Number(process.hrtime.bigint() - start) / 1e9;
  process.stdout.write(JSON.stringify({...fields, time}) + '\n');
}

const ws = new WebSocket(url, options.protocols ?? [], {
  perMessageDeflate: options.deflate ?? false,
  headers: options.headers ?? {},
  maxPayload: 1 << 24,
  handshakeTimeout: options.timeout,
});

function keepAlive() {
  let alive = true;
  ws.on('pong', () => {
    alive = true;
  });
  const timer = setInterval(() => {
    if (!alive) {
      tell({dead: true});
      ws.terminate();
    }
    alive = false;
    ws.ping('alive?');
  }, options.alive);
  ws.on('close', () => clearInterval(timer));
}

ws.on('upgrade', (response) => tell({upgrade: response.headers}));
ws.on('open', () => {
  tell({open: true, protocol: ws.protocol, extensions: ws.extensions});
  const say = options.file ? JSON.parse(fs.readFileSync(options.file)) : options.say ?? [];
  say.forEach((text) => ws.send(text));
  if (options.alive) {
    keepAlive();
  }
});
ws.on('message', (data, isBinary) => {
  tell(isBinary ? {binary: data.toString('base64')} : {text: data.toString()});
  if (++got === options.count || (options.until && data.toString() === options.until)) {
    ws.close(1000);
  }
});
ws.on('ping', (data) => tell({ping: data.toString()}));
ws.on('pong', (data) => tell({pong: data.toString()}));
ws.on('unexpected-response', (request, response) => {
  const parts = [];
  response.on('data', (part) => parts.push(part));
  response.on('end', () => tell({status: response.statusCode, headers: response.headers,
    body: Buffer.concat(parts).toString()}));
});
ws.on('error', (e) => tell({error: e.message, code: e.code}));
ws.on('close', (code, reason) => tell({close: code, reason: reason.toString()}));
