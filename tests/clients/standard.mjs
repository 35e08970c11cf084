// A client on the WebSocket that browsers and Node have built in. It shows no pings and
// pongs, and no close frames that it answers by itself.
import {Inbox, run} from './steps.mjs';

async function digest(bytes) {
  const sum = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return Array.from(sum.slice(0, 8), (b) => b.toString(16).padStart(2, '0')).join('');
}

// Do the steps; returns the log (wirelog.py says what it looks like).
export async function talk(url, steps, protocols, hanging) {
  const path = new URL(url).pathname;
  const raw = []; // [dir, kind, bytes or code, reason]
  const inbox = new Inbox();
  const ws = protocols ? new WebSocket(url, protocols) : new WebSocket(url);
  ws.binaryType = 'arraybuffer';
  const note = (dir, data) => raw.push(typeof data === 'string'
    ? [dir, 'text', new TextEncoder().encode(data)] : [dir, 'binary', data]);
  const opened = new Promise((resolve, reject) => {
    ws.onopen = resolve;
    ws.onerror = () => reject(new Error(`cannot connect to ${url}`));
  });
  ws.onmessage = ({data}) => {
    const message = typeof data === 'string' ? data : new Uint8Array(data);
    note('got', message);
    inbox.put(message);
  };
  const closed = new Promise((resolve) => {
    ws.onclose = (e) => {
      if (e.code !== 1006) {
        raw.push(['got', 'close', e.code, e.reason]);
      }
      inbox.put(null);
      resolve();
    };
  });
  await opened;
  const head = {path, open: true, protocol: ws.protocol, extensions: ws.extensions};
  await run({
    send(data) {
      note('sent', data);
      ws.send(data);
    },
    close(code, reason) {
      raw.push(['sent', 'close', code ?? 1005, reason ?? '']);
      ws.close(...(code ? [code, reason] : []));
    },
    receive: () => inbox.next(),
  }, steps, hanging);
  ws.close();
  await closed;
  const log = [head];
  for (const [dir, kind, data, reason] of raw) {
    log.push(kind === 'close' ? {path, dir, kind, code: data, reason}
      : {path, dir, kind, size: data.length, sha: await digest(data)});
  }
  log.push({path, end: true});
  return log;
}
