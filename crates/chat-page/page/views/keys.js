// Global keyboard shortcuts. The help dialog lists them.

/** `act` has `switchRoom`, `search`, `step(by)`, `help` and `newest`. */
export function listenToKeys(act) {
  document.addEventListener('keydown', (event) => {
    const done = event.isComposing ? null : action(event, act);
    if (!done) return;
    event.preventDefault();
    done();
  });
}

/** Moves the focus with the arrow keys, Home and End between these elements. */
export function moveInList(event, elements) {
  const at = elements.indexOf(document.activeElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: elements.length - 1 }[event.key];
  if (to === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  elements[to]?.focus();
}

function action({ key, ctrlKey, metaKey, altKey, shiftKey }, act) {
  const isModal = document.querySelector('dialog[open]') !== null;
  const command = (ctrlKey || metaKey) && !altKey;
  if (isModal) return null;
  if (command && !shiftKey && key.toLowerCase() === 'k') return act.switchRoom;
  if (command && shiftKey && key.toLowerCase() === 'f') return act.search;
  if (command && key === '/') return act.help;
  if (altKey && !ctrlKey && !metaKey && key === 'ArrowUp') return () => act.step(-1);
  if (altKey && !ctrlKey && !metaKey && key === 'ArrowDown') return () => act.step(1);
  if (key === 'Escape') return act.newest;
  return null;
}
