// The `ws` library, either end, with a log of what it sends and receives (wirelog.py says
// what the log looks like). Pings are answered here, so that the pongs show.
import crypto from 'node:crypto';
import {Inbox} from './steps.mjs';

export function emit(fields) {
  process.stdout.write(JSON.stringify(fields) + '\n');
}

export class Peer {
  constructor(ws, path) {
    this.ws = ws;
    this.path = path;
    this.inbox = new Inbox();
    this.pongs = [];
    this.closing = false;
    ws.on('message', (data, isBinary) => {
      this.log('got', isBinary ? 'binary' : 'text', data);
      this.inbox.put(isBinary ? data : data.toString());
    });
    ws.on('ping', (data) => {
      this.log('got', 'ping', data);
      this.log('sent', 'pong', data);
      ws.pong(data);
    });
    ws.on('pong', (data) => {
      this.log('got', 'pong', data);
      this.pongs.shift()?.();
    });
    ws.on('close', (code, reason) => {
      if (code !== 1006) {
        this.logClose('got', code, reason.toString());
        if (!this.closing) {
          this.logClose('sent', code, reason.toString()); // the library answers so
        }
      }
      this.inbox.put(null);
      emit({path, end: true});
    });
    ws.on('error', (e) => emit({path, trouble: String(e)}));
  }

  log(dir, kind, data) {
    const bytes = typeof data === 'string' ? Buffer.from(data) : data;
    const sha = crypto.createHash('sha256').update(bytes).digest('hex').slice(0, 16);
    emit({path: this.path, dir, kind, size: bytes.length, sha});
  }

  logClose(dir, code, reason) {
    emit({path: this.path, dir, kind: 'close', code, reason});
  }

  send(data) {
    this.log('sent', typeof data === 'string' ? 'text' : 'binary', data);
    this.ws.send(data);
  }

  fragments(parts) {
    this.log('sent', 'text', parts.join(''));
    parts.forEach((p, i) => this.ws.send(p, {fin: i === parts.length - 1}));
  }

  ping(data) {
    this.log('sent', 'ping', data);
    this.ws.ping(data);
    return new Promise((resolve) => this.pongs.push(resolve));
  }

  close(code, reason) {
    this.closing = true;
    this.logClose('sent', code ?? 1005, reason ?? '');
    this.ws.close(code, reason);
  }

  receive() {
    return this.inbox.next();
  }
}
