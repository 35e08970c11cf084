// A client on Node's own WebSocket: client_builtin.mjs URL STEPS OPTIONS.
// Options: protocols. The authority to trust comes in NODE_EXTRA_CA_CERTS.
import {talk} from './standard.mjs';

const [url, steps, options] = process.argv.slice(2);
const {protocols} = JSON.parse(options);
const path = new URL(url).pathname;
const hanging = () => console.log(JSON.stringify({path, hanging: true}));
for (const line of await talk(url, JSON.parse(steps), protocols, hanging)) {
  console.log(JSON.stringify(line));
}
