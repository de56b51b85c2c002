// A TCP proxy to a server: its connections can be cut and restored. Going offline in a browser does
// not close open WebSockets.

import { once } from 'node:events';
import { connect, createServer } from 'node:net';

export class TcpProxy {
  #sockets = new Set();
  /** Those of the sockets that are connected to the server. */
  #toServer = new Set();
  #isOpen = true;
  #listener;
  #server;

  static async to(server) {
    const proxy = new TcpProxy();
    proxy.#server = server;
    proxy.#listener = createServer((socket) => proxy.#forward(socket)).listen(0, '127.0.0.1');
    await once(proxy.#listener, 'listening');
    return proxy;
  }

  get address() {
    return `http://127.0.0.1:${this.#listener.address().port}`;
  }

  get url() {
    return `${this.address.replace('http', 'ws')}/ws`;
  }

  /** Resets all connections: neither end receives a close frame. */
  cut() {
    this.#isOpen = false;
    for (const socket of this.#sockets) socket.resetAndDestroy();
    this.#sockets.clear();
    this.#toServer.clear();
  }

  restore() {
    this.#isOpen = true;
  }

  /** Stops forwarding. Neither end notices. */
  freeze() {
    for (const socket of this.#sockets) socket.pause();
  }

  /** Stops forwarding from the server to the clients. */
  freezeAnswers() {
    for (const socket of this.#toServer) socket.pause();
  }

  /** Resets the connections of the clients. The server does not notice. */
  dropClients() {
    for (const socket of this.#sockets) if (!this.#toServer.has(socket)) socket.resetAndDestroy();
  }

  thaw() {
    for (const socket of this.#sockets) socket.resume();
  }

  async close() {
    this.cut();
    this.#listener.close();
    await once(this.#listener, 'close');
  }

  #forward(socket) {
    if (!this.#isOpen) return socket.resetAndDestroy();
    const other = connect(this.#server.port, '127.0.0.1');
    this.#toServer.add(other);
    for (const end of [socket, other]) {
      this.#sockets.add(end);
      end.on('error', () => {});
      end.on('close', () => {
        this.#sockets.delete(end);
        this.#toServer.delete(end);
      });
    }
    socket.pipe(other).pipe(socket);
  }
}
