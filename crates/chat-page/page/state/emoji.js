// The short codes of emoji. The list is loaded when a user begins to write one.

let list = null;

/** Resolves with `[code, emoji]` pairs. A list that could not be loaded is asked for again the next time. */
export function emojiList() {
  list ??= load();
  return list;
}

async function load() {
  try {
    const response = await fetch('/emoji.json');
    if (!response.ok) throw new Error(`/emoji.json was answered with ${response.status}`);
    return Object.entries(await response.json());
  } catch {
    list = null;
    return [];
  }
}
