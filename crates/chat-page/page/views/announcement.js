// The banner with the announcement of the operator. It is loaded when there is an announcement.

import { byId, h, loadStyles } from '../dom.js';
import { persistent } from '../state/storage.js';
import { insertServerHtml } from '../text/html.js';
import { decorate } from './dress.js';
import { openRoomLinks } from './links.js';

const styles = loadStyles('/page/announcement.css');
/** The id of the announcement that the user has dismissed, in all tabs of this browser. */
const DISMISSED = 'dismissed';

export class AnnouncementBanner {
  // A long text scrolls, also with the keyboard.
  #text = h('div', { id: 'announcement-text', class: 'body', dir: 'auto', tabindex: 0 });
  #element = h('section', { id: 'announcement', class: 'announcement', 'aria-labelledby': 'announcement-label', hidden: true },
    h('strong', { id: 'announcement-label' }, 'Announcement'), this.#text,
    h('button', { id: 'announcement-dismiss', type: 'button', onclick: () => this.#dismiss() }, 'Dismiss'));
  #announcement = null;
  /** The id in a browser that stores nothing. */
  #dismissed = null;
  #announce;

  /** `announce(text)` passes a text to a screen reader, and `open(room, seq)` opens a link. */
  constructor({ announce, open }) {
    this.#announce = announce;
    openRoomLinks(this.#text, open);
    byId('banner').before(this.#element);
    window.addEventListener('storage', () => this.#update());
  }

  /** Shows the announcement unless the user has dismissed it; `null` removes it. */
  async show(announcement) {
    await styles;
    this.#announcement = announcement;
    if (announcement) {
      const { level, body, html } = announcement;
      this.#element.classList.toggle('warning', level === 'warning');
      this.#text.classList.toggle('as-written', html === undefined);
      if (html === undefined) this.#text.textContent = body;
      else insertServerHtml(this.#text, html);
      decorate(this.#text);
      // These scroll sideways.
      for (const wide of this.#text.querySelectorAll('pre, table')) wide.tabIndex = 0;
      this.#text.scrollTop = 0;
    }
    this.#update();
    if (!this.#element.hidden) this.#announce(`Announcement: ${this.#text.textContent.trim()}`);
  }

  #update() {
    const id = this.#announcement?.id ?? null;
    this.#element.hidden = id === null || id === this.#dismissed || id === persistent.get(DISMISSED);
  }

  #dismiss() {
    this.#dismissed = this.#announcement.id;
    persistent.set(DISMISSED, this.#dismissed);
    this.#update();
    // The button that had the focus is gone.
    byId('room-title').focus();
  }
}
