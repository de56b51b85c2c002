// The short codes of emoji. The list is loaded when the user begins to type one.

let list = null;

/** Resolves with `[code, emoji]` pairs. If loading fails, the next call tries again. */
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
