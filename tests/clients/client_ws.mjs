// A client on `ws`: client_ws.mjs URL STEPS OPTIONS. Options: protocols, headers, deflate.
// The authority to trust comes in NODE_EXTRA_CA_CERTS.
import WebSocket from 'ws';
import {run} from './steps.mjs';
import {Peer, emit} from './wslogged.mjs';

const [url, steps, json] = process.argv.slice(2);
const options = JSON.parse(json);
const path = new URL(url).pathname;
const ws = new WebSocket(url, options.protocols ?? [], {
  perMessageDeflate: (options.deflate ?? true) ? {threshold: 0} : false,
  headers: Object.fromEntries(options.headers ?? []),
  autoPong: false,
});
const peer = new Peer(ws, path);
ws.on('open', async () => {
  emit({path, open: true, protocol: ws.protocol, extensions: ws.extensions});
  await run(peer, JSON.parse(steps), () => emit({path, hanging: true}));
  ws.close();
});
