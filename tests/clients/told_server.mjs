// A backend on `ws` that echoes and tells all that happens to it, a JSON line each:
// told_server.mjs OPTIONS. Options: deflate (ws's options), cert, key. Prints
// {"ready": port} first.
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import {WebSocketServer} from 'ws';

const options = JSON.parse(process.argv[2]);

function tell(fields) {
  process.stdout.write(JSON.stringify(fields) + '\n');
}

const server = options.cert
  ? https.createServer({cert: fs.readFileSync(options.cert),
    key: fs.readFileSync(options.key)})
  : http.createServer();
const sockets = new WebSocketServer({server, perMessageDeflate: options.deflate ?? false});
sockets.on('connection', (ws, request) => {
  const path = request.url;
  tell({path, open: true, headers: request.headers, extensions: ws.extensions});
  ws.on('message', (data, isBinary) => {
    const text = data.toString(isBinary ? 'base64' : 'utf8');
    tell(isBinary ? {path, binary: text} : {path, text});
    ws.send(data, {binary: isBinary});
  });
  ws.on('ping', (data) => tell({path, ping: data.toString()}));
  ws.on('error', (e) => tell({path, error: e.message, code: e.code}));
  ws.on('close', (code, reason) => tell({path, close: code, reason: reason.toString()}));
});
server.listen(0, '127.0.0.1', () => tell({ready: server.address().port}));
