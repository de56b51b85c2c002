// Files that are dropped or pasted. The server accepts none, and without this the browser would
// open a dropped file in place of the chat.

/** `notify()` tells the user that files cannot be sent. */
export function refuseFiles(notify) {
  for (const type of ['dragenter', 'dragover']) {
    document.addEventListener(type, (event) => {
      if (!hasFilesOnly(event.dataTransfer)) return;
      event.preventDefault();
      event.dataTransfer.dropEffect = 'copy';
    });
  }
  document.addEventListener('drop', (event) => {
    if (!hasFilesOnly(event.dataTransfer)) return;
    event.preventDefault();
    notify();
  });
  document.addEventListener('paste', (event) => {
    if (!hasFilesOnly(event.clipboardData)) return;
    event.preventDefault();
    notify();
  });
}

/** Text that comes with a picture of itself, as from an office program, counts as text. */
function hasFilesOnly(transfer) {
  const types = [...(transfer?.types ?? [])];
  return types.includes('Files') && !types.includes('text/plain');
}
