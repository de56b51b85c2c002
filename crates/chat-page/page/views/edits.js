/**
 * Applies an edit (`text/editing.js`) to the box as if the user had typed it, so Ctrl+Z undoes it.
 */
export function applyChange(box, { from, to, insert, start, end }) {
  box.focus({ preventScroll: true });
  if (from !== to || insert !== '') {
    box.setSelectionRange(from, to);
    // The only way that preserves the browser's undo history.
    const done = insert === '' ? document.execCommand('delete') : document.execCommand('insertText', false, insert);
    if (!done) {
      box.setRangeText(insert, from, to, 'end');
      box.dispatchEvent(new Event('input', { bubbles: true }));
    }
  }
  box.setSelectionRange(start, end);
}
