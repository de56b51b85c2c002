// A user at a page. Records everything that goes wrong in it.

import assert from 'node:assert/strict';
import { until } from './until.js';

const TIMEOUT_MS = 60_000;
/** What the browser itself logs if the server is not reachable. */
const OUTAGE = /WebSocket connection to .* failed|Failed to load resource: net::ERR_/;

/** What the browser logs if the server refuses a request, for example for a wrong password. */
const REFUSAL = /Failed to load resource: the server responded with a status of 4\d\d/;

export class User {
  /** The address of every request that the page made. */
  requests = [];
  dialogs = [];
  /** Other servers to which the page may send requests. */
  foreign = new Set();
  #problems = [];
  #outages = 0;

  static async at(page, address) {
    const user = new User(page, address);
    await page.addInitScript(() => {
      window.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) => {
        console.error(`policy violation: ${violatedDirective} ${blockedURI}`);
      });
    });
    return user;
  }

  constructor(page, address) {
    this.page = page;
    this.address = address;
    page.setDefaultTimeout(TIMEOUT_MS);
    page.on('pageerror', (error) => this.#problems.push(`pageerror: ${error.stack}`));
    page.on('console', (message) => {
      if (message.type() !== 'error') return;
      if (OUTAGE.test(message.text())) this.#outages += 1;
      else if (this.expectsRefusals && REFUSAL.test(message.text())) return;
      else this.#problems.push(`console: ${message.text()}`);
    });
    page.on('request', (request) => this.requests.push(request.url()));
    page.on('websocket', (socket) => this.requests.push(socket.url()));
    page.on('dialog', (dialog) => {
      this.dialogs.push(dialog.message());
      dialog.accept().catch(() => {});
    });
    this.expectsOutage = false;
    this.expectsRefusals = false;
    /** What problems match that are part of the test. */
    this.expectedProblem = null;
  }

  // Actions.

  /** Submits the form. The room is in the address. */
  async enter(name) {
    await this.page.locator('#entry-name').fill(name);
    await this.page.keyboard.press('Enter');
    await this.waitForRoom();
  }

  async send(text) {
    await this.page.locator('#compose-text').fill(text);
    await this.page.locator('#compose-text').press('Enter');
  }

  /** Sends a message, and waits until it is stored. */
  async sendAndWait(text) {
    await this.send(text);
    await this.waitForMessage(text);
  }

  /** Opens the menu of the message with this text by the bar under the pointer. */
  async openMenu(text) {
    await (await this.waitForMessage(text)).hover();
    await this.page.locator('.message-actions [data-action="menu"]').click();
    await this.page.locator('#message-menu').waitFor();
  }

  /** Chooses from the menu of a message. */
  async act(text, action) {
    await this.openMenu(text);
    await this.page.locator(`#message-menu [data-action="${action}"]`).click();
  }

  /** Keeps a finger on a message until its menu is open. */
  async longPress(text) {
    const { x, y, width, height } = await (await this.waitForMessage(text)).locator('.body').boundingBox();
    const session = await this.page.context().newCDPSession(this.page);
    const touchPoints = [{ x: x + Math.min(width, 40) / 2, y: y + height / 2 }];
    await session.send('Input.dispatchTouchEvent', { type: 'touchStart', touchPoints });
    await this.page.locator('#message-menu').waitFor();
    await session.send('Input.dispatchTouchEvent', { type: 'touchEnd', touchPoints: [] });
    await session.detach();
  }

  async joinRoom(room) {
    await this.page.keyboard.press('Control+k');
    await this.page.locator('#switcher-room').fill(room);
    await this.page.keyboard.press('Enter');
    await this.waitForRoom(room);
  }

  // Observations.

  async waitForRoom(room) {
    await this.page.locator('#chat').waitFor();
    if (room) await until(`${room} is shown`, async () => await this.text('#room-title') === room);
  }

  /** The stored message with this text. */
  message(text) {
    return this.page.locator('.message[data-state="stored"]', { has: this.page.locator('.body', { hasText: text }) });
  }

  async waitForMessage(text) {
    await this.message(text).first().waitFor();
    return this.message(text).first();
  }

  text(selector) {
    return this.page.locator(selector).innerText();
  }

  /** Whether the element is visible. */
  isVisible(selector) {
    return this.page.locator(selector).first().isVisible();
  }

  waitUntilHidden(selector) {
    return this.page.locator(selector).first().waitFor({ state: 'hidden' });
  }

  /** All messages in the page, from top to bottom: `{seq, from, text, state}`. */
  log() {
    return this.page.locator('#messages .message').evaluateAll((messages) => messages.map((message) => ({
      seq: Number(message.dataset.seq), from: message.dataset.from, state: message.dataset.state,
      text: message.querySelector('.body').innerText.trim(),
    })));
  }

  async texts() {
    return (await this.log()).map(({ text }) => text);
  }

  /** The texts of the acknowledged messages. */
  async stored() {
    return (await this.log()).filter(({ state }) => state === 'stored').map(({ text }) => text);
  }

  /** The reactions of the message with this text: `👍 2`, with a `*` if the user is one of them. */
  reactions(text) {
    return this.message(text).first().locator('.reaction').evaluateAll((chips) => chips.map((chip) => (
      `${chip.dataset.emoji} ${chip.querySelector('.number').textContent}${chip.getAttribute('aria-pressed') === 'true' ? '*' : ''}`)));
  }

  people() {
    return this.page.locator('#people-list li').evaluateAll((items) => items.map((item) => item.dataset.name));
  }

  banner() {
    return this.page.locator('#banner').getAttribute('data-kind');
  }

  /** Waits for a banner of this kind, and returns its text. */
  async waitForBanner(kind) {
    await this.page.locator(`#banner[data-kind="${kind}"]`).waitFor({ state: kind === 'none' ? 'hidden' : 'visible' });
    return this.page.locator('#banner-text').innerText();
  }

  /**
   * Clicks the banner's button, even if it is no longer visible: the page may have reconnected by
   * itself.
   */
  clickBannerAction() {
    return this.page.locator('#banner-action').evaluate((button) => button.click());
  }

  focused() {
    return this.page.evaluate(() => document.activeElement.id || document.activeElement.localName);
  }

  style(selector, property) {
    return this.page.locator(selector).first().evaluate((element, name) => getComputedStyle(element)[name], property);
  }

  /** The visible text, with the open dialogs in front, and what went wrong. */
  async describe() {
    const visible = await this.page.evaluate(() => {
      const texts = [...document.querySelectorAll('dialog[open]'), document.body].map(({ innerText }) => innerText.replaceAll(/\s+/g, ' '));
      return { texts, focus: document.activeElement?.id };
    }).catch((error) => error.message);
    return JSON.stringify({ url: this.page.url(), visible, problems: this.#problems, outages: this.#outages }).slice(0, 4000);
  }

  // Final checks.

  check() {
    const problems = this.#problems.filter((problem) => !this.expectedProblem?.test(problem));
    assert.deepEqual(problems, [], 'errors in the page');
    if (!this.expectsOutage) assert.equal(this.#outages, 0, 'connections of the page failed');
    const hosts = new Set([new URL(this.address).host, ...this.foreign]);
    const foreign = this.requests.filter((url) => !/^(data|blob):/.test(url) && !hosts.has(new URL(url).host));
    assert.deepEqual(foreign, [], 'requests to other servers');
  }
}
