// The focus among the messages: Tab reaches the log, the arrow keys move between its messages, and
// Tab goes on to what is in the message that has the focus.

export class MessageFocus {
  #scroller;
  #list;
  #act;

  /** `act` has `menu(article)`, `newest()` and `leave()`. */
  constructor(scroller, list, act) {
    this.#scroller = scroller;
    this.#list = list;
    this.#act = act;
    scroller.addEventListener('keydown', (event) => this.#key(event));
    list.addEventListener('focusin', ({ target }) => setReachable(target.closest('.message'), true));
    list.addEventListener('focusout', ({ target, relatedTarget }) => {
      const article = target.closest('.message');
      if (!article?.contains(relatedTarget)) setReachable(article, false);
    });
  }

  #key(event) {
    const { target, key, shiftKey, altKey, ctrlKey, metaKey } = event;
    if (event.defaultPrevented || altKey || ctrlKey || metaKey) return;
    const article = target.closest('.message');
    const isHere = target === this.#scroller || target === article;
    const done = this.#action({ key, shiftKey, article, isHere });
    if (!done) return;
    event.preventDefault();
    event.stopPropagation();
    done();
  }

  #action({ key, shiftKey, article, isHere }) {
    if (key === 'Escape' && article) return this.#act.leave;
    if (!isHere) return null;
    if (key === 'End' && !shiftKey) return this.#act.newest;
    if (key === 'ArrowUp' && !shiftKey) return () => this.#step(article, -1);
    if (key === 'ArrowDown' && !shiftKey) return () => this.#step(article, 1);
    const isMenuKey = key === 'Enter' || key === 'ContextMenu' || (key === 'F10' && shiftKey);
    return article && isMenuKey ? () => this.#act.menu(article) : null;
  }

  #step(article, by) {
    const entry = article?.closest('.entry');
    const next = entry ? (by < 0 ? entry.previousElementSibling : entry.nextElementSibling) : this.#firstSeen(by);
    const message = next?.querySelector('.message');
    if (!message) return;
    // A message that is higher than the log begins at the top.
    message.scrollIntoView({ block: message.offsetHeight > this.#scroller.clientHeight ? 'start' : 'nearest' });
    message.focus({ preventScroll: true });
  }

  /** The first entry on the screen, or the last one if the key leads up. */
  #firstSeen(by) {
    const { top, bottom } = this.#scroller.getBoundingClientRect();
    const seen = [...this.#list.children].filter((entry) => {
      const box = entry.getBoundingClientRect();
      return box.bottom > top && box.top < bottom;
    });
    return by < 0 ? seen.at(-1) : seen[0];
  }
}

/**
 * A dialog has closed: the focus goes back to where it was. The menu of a message is gone, and then
 * it goes to the message with this number.
 */
export function focusAfter(dialog, seq) {
  const { activeElement, body } = document;
  if (activeElement !== body && !dialog.contains(activeElement)) return;
  document.querySelector(`.message[data-seq="${seq}"]`)?.focus({ preventScroll: true });
}

/** Whether Tab reaches the message and what is in it: with every message it would be a long way. */
function setReachable(article, isReachable) {
  if (!article) return;
  for (const element of [article, ...article.querySelectorAll('[data-inner]')]) element.tabIndex = isReachable ? 0 : -1;
}
