// Runs chatd for one test: on a free port, with a database in a folder that is removed afterwards.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

export class Server {
  #child = null;
  #folder;
  #args;
  port = 0;

  static async start(args) {
    const server = new Server();
    server.#args = args;
    server.#folder = await mkdtemp(join(tmpdir(), 'chatd-test-'));
    await server.start();
    return server;
  }

  get address() {
    return `http://127.0.0.1:${this.port}`;
  }

  get url() {
    return `${this.address.replace('http', 'ws')}/ws`;
  }

  /**
   * Starts the server, on the same port and database as before. Arguments given here replace the
   * earlier ones.
   */
  async start(...args) {
    const program = process.env.CHATD;
    if (!program) throw new Error('set CHATD to the path of the chatd program');
    if (args.length > 0) this.#args = args;
    const admin = this.#args.includes('--admin-listen') ? [] : ['--admin-listen', 'off'];
    const all = ['--listen', `127.0.0.1:${this.port}`, ...admin, '--message-rate', '0', ...this.#args];
    // The environment must not change the server's configuration.
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('CHATD_')));
    this.#child = spawn(resolve(program), all, { cwd: this.#folder, env, stdio: ['ignore', 'pipe', 'ignore'] });
    this.port = Number(await new Promise((found, failed) => {
      this.#child.on('error', failed);
      this.#child.on('exit', () => failed(new Error('chatd did not start')));
      createInterface(this.#child.stdout).on('line', (line) => {
        const port = /http:\/\/127\.0\.0\.1:(\d+)/.exec(line)?.[1];
        if (port) found(port);
      });
    }));
  }

  /** Simulates a crash. */
  kill() {
    return this.#end('SIGKILL');
  }

  /** Stops the server as an admin would. */
  stop() {
    return this.#end('SIGTERM');
  }

  async remove() {
    await this.kill();
    await rm(this.#folder, { recursive: true });
  }

  async #end(signal) {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exit = once(this.#child, 'exit');
    this.#child.kill(signal);
    await exit;
  }
}
