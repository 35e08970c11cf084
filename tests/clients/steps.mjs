// What a client does, step by step: the same steps as in steps.py, for Node and browsers.
//
// A client is an object with: send(data), close(code, reason), receive() (a promise of the
// next message, null when closed), and, where it can, ping(data) and fragments(parts).

export function text(size) {
  return 'abcdefghijklmnopqrstuvwxyz'.repeat(Math.floor(size / 26) + 1).slice(0, size);
}

export function binary(size) {
  const out = new Uint8Array(size);
  for (let i = 0; i < size; i++) {
    out[i] = ((i & 255) * 7 + size) & 255;
  }
  return out;
}

function check(is, what) {
  if (!is) {
    throw new Error(what);
  }
}

function same(a, b) {
  if (typeof a === 'string' || typeof b === 'string' || b === null) {
    return a === b;
  }
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

async function echo(client, message) {
  client.send(message);
  check(same(message, await client.receive()), 'the echo is not what was sent');
}

export async function run(client, steps, hanging) {
  for (const [name, ...args] of steps) {
    switch (name) {
      case 'text':
        await echo(client, text(args[0]));
        break;
      case 'binary':
        await echo(client, binary(args[0]));
        break;
      case 'say':
        await echo(client, args[0]);
        break;
      case 'burst':
        for (let i = 0; i < args[0]; i++) {
          client.send(text(args[1]));
        }
        for (let i = 0; i < args[0]; i++) {
          check(await client.receive() === text(args[1]), 'burst');
        }
        break;
      case 'fragments':
        client.fragments(args[0].map(text));
        check(await client.receive() === args[0].map(text).join(''), 'fragments');
        break;
      case 'ping':
        await client.ping(args[0]);
        break;
      case 'ask':
        client.send(JSON.stringify(args[0]));
        check(await client.receive() !== null, 'closed instead of an answer');
        break;
      case 'ask-end':
        client.send(JSON.stringify(args[0]));
        check(await client.receive() === null, 'a message instead of the end');
        break;
      case 'close':
        client.close(...args);
        check(await client.receive() === null, 'a message instead of the end');
        break;
      case 'hang':
        hanging();
        await client.receive();
        break;
      default:
        throw new Error(`no such step: ${name}`);
    }
  }
}

// Messages that came, for receive(): put() them, then end().
export class Inbox {
  constructor() {
    this.waiting = [];
    this.come = [];
  }

  put(message) {
    const waiter = this.waiting.shift();
    if (waiter) {
      waiter(message);
    } else {
      this.come.push(message);
    }
  }

  next() {
    if (this.come.length > 0) {
      return Promise.resolve(this.come.shift());
    }
    return new Promise((resolve) => this.waiting.push(resolve));
  }
}
