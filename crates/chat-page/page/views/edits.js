/** Carries out a change (`text/editing.js`) in the box, as if the user had typed it: Ctrl+Z takes it back. */
export function applyChange(box, { from, to, insert, start, end }) {
  box.focus({ preventScroll: true });
  if (from !== to || insert !== '') {
    box.setSelectionRange(from, to);
    // the only way that keeps the browser's list of what can be undone
    const done = insert === '' ? document.execCommand('delete') : document.execCommand('insertText', false, insert);
    if (!done) {
      box.setRangeText(insert, from, to, 'end');
      box.dispatchEvent(new Event('input', { bubbles: true }));
    }
  }
  box.setSelectionRange(start, end);
}
