// What the form shows if its name is in use in another tab of this browser.

import { byId, h } from '../dom.js';
import { tabs } from '../state/tabs.js';
import { isolated, nextName } from '../text/names.js';

export class OtherTabs {
  #name = byId('entry-name');
  #text = h('span');
  #element = h('div', { class: 'alert other-tab', id: 'entry-other-tab', role: 'status', hidden: true },
    this.#text, h('button', { type: 'button', id: 'entry-use-this-tab', onclick: () => this.#take() }, 'Use this tab instead'));
  #use;
  /** The name that is in use elsewhere, while the form suggests another one. */
  #taken = null;
  #isTouched = false;
  #isWriting = false;

  /** `use(name)` enters under a name that no other tab uses any more. */
  constructor(use) {
    this.#use = use;
    byId('entry-status').after(this.#element);
    this.#name.addEventListener('input', () => {
      if (this.#isWriting) return;
      this.#isTouched = true;
      this.update();
    });
    tabs.on('change', () => this.update());
    this.update();
  }

  /**
   * Checks whether the name in the form is in use elsewhere. If the user did not type it, another
   * one is suggested.
   */
  update() {
    // The form is being submitted, or is hidden already.
    if (byId('entry').hidden || byId('entry-join').disabled) return;
    const name = this.#name.value.trim().normalize('NFC');
    if (tabs.has(name)) {
      this.#taken = name;
      if (!this.#isTouched) this.#write(freeName(name));
    } else if (this.#taken !== null && !tabs.has(this.#taken)) {
      if (!this.#isTouched) this.#write(this.#taken);
      this.#taken = null;
    } else if (this.#isTouched) this.#taken = null;
    this.#element.hidden = this.#taken === null;
    this.#text.textContent = this.#taken === null ? '' : `You’re already in the chat as ${isolated(this.#taken)} in another tab.`;
  }

  #write(name) {
    this.#name.value = name;
    // Clears the error of the name that was there before.
    this.#isWriting = true;
    this.#name.dispatchEvent(new Event('input'));
    this.#isWriting = false;
  }

  async #take() {
    const name = this.#taken;
    this.#name.value = name;
    await tabs.takeOver(name);
    this.#taken = null;
    this.#element.hidden = true;
    await this.#use(name);
    this.update();
  }
}

function freeName(name) {
  let free = nextName(name);
  while (tabs.has(free)) free = nextName(free);
  return free;
}
