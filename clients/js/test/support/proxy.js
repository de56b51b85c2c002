// A line to a server that can be cut, and mended again. A browser's own "offline" leaves open WebSockets alone.

import { once } from 'node:events';
import { connect, createServer } from 'node:net';

export class Line {
  #sockets = new Set();
  #isUp = true;
  #listener;
  #server;

  static async to(server) {
    const line = new Line();
    line.#server = server;
    line.#listener = createServer((socket) => line.#carry(socket)).listen(0, '127.0.0.1');
    await once(line.#listener, 'listening');
    return line;
  }

  get address() {
    return `http://127.0.0.1:${this.#listener.address().port}`;
  }

  get url() {
    return `${this.address.replace('http', 'ws')}/ws`;
  }

  /** Both ends see a reset: nobody says goodbye. */
  cut() {
    this.#isUp = false;
    for (const socket of this.#sockets) socket.resetAndDestroy();
    this.#sockets.clear();
  }

  mend() {
    this.#isUp = true;
  }

  /** Nothing gets through any more, and nobody is told. */
  freeze() {
    for (const socket of this.#sockets) socket.pause();
  }

  thaw() {
    for (const socket of this.#sockets) socket.resume();
  }

  async end() {
    this.cut();
    this.#listener.close();
    await once(this.#listener, 'close');
  }

  #carry(socket) {
    if (!this.#isUp) return socket.resetAndDestroy();
    const other = connect(this.#server.port, '127.0.0.1');
    for (const end of [socket, other]) {
      this.#sockets.add(end);
      end.on('error', () => {});
      end.on('close', () => this.#sockets.delete(end));
    }
    socket.pipe(other).pipe(socket);
  }
}
