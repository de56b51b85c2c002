// Replaces `npx wscat -c URL`, which npm would have to download: sends each line of the standard
// input, and prints what it receives.
import { createInterface } from 'node:readline';

const [program, option, url] = process.argv.slice(2);
if (program !== 'wscat' || option !== '-c') throw new Error(`not known: ${process.argv.slice(2)}`);
const socket = new WebSocket(url);
socket.onmessage = ({ data }) => console.log(data);
socket.onclose = () => process.exit();
await new Promise((resolve) => (socket.onopen = resolve));
for await (const line of createInterface({ input: process.stdin })) socket.send(line);
