// Stands in for `npx wscat -c URL`, which npm would have to download: what is typed is sent, what comes is printed.
import { createInterface } from 'node:readline';

const [program, option, url] = process.argv.slice(2);
if (program !== 'wscat' || option !== '-c') throw new Error(`not known: ${process.argv.slice(2)}`);
const socket = new WebSocket(url);
socket.onmessage = ({ data }) => console.log(data);
socket.onclose = () => process.exit();
await new Promise((resolve) => (socket.onopen = resolve));
for await (const line of createInterface({ input: process.stdin })) socket.send(line);
