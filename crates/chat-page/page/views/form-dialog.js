// What the dialogs of moderators and owners have in common. It is loaded with the first of them.

import { closable, h, icon, loadStyles, setText } from '../dom.js';
import { focusAfter } from './message-focus.js';

const styles = loadStyles('/page/moderation.css');

/** A label and its control. */
export function field(label, control, ...more) {
  return h('div', { class: 'field' }, h('label', { for: control.id }, label), control, ...more);
}

/** The options of a `select`: `[value, label]`. */
export function options(values) {
  return values.map(([value, label]) => h('option', { value }, label));
}

/** A dialog with a form. Errors are shown in it, and it closes when the form has been submitted. */
export class FormDialog {
  #title;
  #error;
  #submit;
  #form;
  #dialog;
  #isBusy = false;
  /** The number of the message that the dialog is about. */
  #seq;

  /**
   * `submit(button)` carries out what the form is for. If it rejects, `words(error)` is shown.
   * `actions` are further buttons that submit the form.
   */
  constructor(id, content, { submit, words, actions = [] }) {
    this.#title = h('h2', { id: `${id}-title` });
    this.#error = h('p', { id: `${id}-error`, class: 'error', role: 'alert', hidden: true });
    this.#submit = h('button', { id: `${id}-submit`, class: 'primary wide', type: 'submit', 'aria-describedby': `${id}-error` });
    this.#form = h('form', { id: `${id}-form`, class: 'form', novalidate: true, autocomplete: 'off' }, content, this.#error, this.#submit, actions);
    this.#dialog = h('dialog', { id, class: 'modal form-dialog', 'aria-labelledby': `${id}-title` },
      h('header', { class: 'modal-head' }, this.#title,
        h('button', { class: 'icon', type: 'button', 'data-close': true, 'aria-label': 'Close' }, icon('close'))),
      this.#form);
    document.body.append(this.#dialog);
    closable(this.#dialog);
    this.#dialog.addEventListener('close', () => focusAfter(this.#dialog, this.#seq));
    this.#form.addEventListener('input', () => this.fail(''));
    this.#form.addEventListener('submit', async (event) => {
      event.preventDefault();
      if (this.#isBusy) return;
      this.#isBusy = true;
      this.fail('');
      try {
        if (await submit(event.submitter) !== false) this.#dialog.close();
      } catch (error) {
        this.fail(words(error));
      } finally {
        this.#isBusy = false;
      }
    });
  }

  /** The names in the title are elements of their own. */
  set title(parts) {
    this.#title.replaceChildren(...parts);
  }

  set button(label) {
    this.#submit.textContent = label;
  }

  /** Shows why the form was not submitted. */
  fail(text) {
    setText(this.#error, text);
  }

  /** Opens the dialog with the focus on this control. `seq` is the message that it is about. */
  async open(control, seq) {
    await styles;
    if (this.#dialog.open) return;
    this.#seq = seq;
    this.fail('');
    this.#dialog.showModal();
    control.focus();
  }
}
