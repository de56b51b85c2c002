// The emoji with their names and short codes. The list is loaded when the user begins to type a
// code or chooses a reaction.

let list = null;

/**
 * Resolves with groups: `[title, [[emoji, name, …codes], …]]`. If loading fails there are none, and
 * the next call tries again.
 */
export function emojiGroups() {
  list ??= load();
  return list;
}

/** Resolves with `[code, emoji]` pairs. */
export async function emojiList() {
  const groups = await emojiGroups();
  return groups.flatMap(([, all]) => all.flatMap(([emoji, , ...codes]) => codes.map((code) => [code, emoji])));
}

async function load() {
  try {
    const response = await fetch('/emoji.json');
    if (!response.ok) throw new Error(`/emoji.json was answered with ${response.status}`);
    return await response.json();
  } catch {
    list = null;
    return [];
  }
}
