// Files that are dropped on the page or pasted into it. The server takes none: without this the browser would open them instead of the chat.

/** `tell()` says that files are not sent. */
export function refuseFiles(tell) {
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
    tell();
  });
  document.addEventListener('paste', (event) => {
    if (!hasFilesOnly(event.clipboardData)) return;
    event.preventDefault();
    tell();
  });
}

/** A text that comes with a picture of itself, as from an office program, is a text. */
function hasFilesOnly(transfer) {
  const types = [...(transfer?.types ?? [])];
  return types.includes('Files') && !types.includes('text/plain');
}
