// Making and finding elements.

/** `h('p', {class: 'x', onclick: f}, 'text', child)`. A property of null or false is left out. */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** The element with this id, which `index.html` has. */
export function byId(id) {
  return document.getElementById(id);
}

/** Shows a text, or hides the element where there is none. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
  element.hidden = text === '';
}

/** Closes a dialog by its own buttons and by a click beside it. */
export function closable(dialog) {
  dialog.addEventListener('click', (event) => {
    const asked = event.target.closest('[data-close]');
    if (asked || (event.target === dialog && isOutside(dialog, event))) dialog.close();
  });
}

function isOutside(dialog, { clientX, clientY, detail }) {
  // a click that a key made has no place
  if (detail === 0) return false;
  const { left, right, top, bottom } = dialog.getBoundingClientRect();
  return clientX < left || clientX > right || clientY < top || clientY > bottom;
}

const HUES = [15, 45, 75, 120, 150, 180, 210, 240, 265, 290, 320, 345];

/** A person's colour: the same everywhere, without asking anybody. */
export function hueOf(name) {
  let hash = 7;
  for (const character of name) hash = (hash * 31 + character.codePointAt(0)) % 9973;
  return HUES[hash % HUES.length];
}

export function avatar(name, ...classes) {
  const element = h('span', { class: ['avatar', ...classes].join(' '), 'aria-hidden': 'true' });
  dressAvatar(element, name);
  return element;
}

export function dressAvatar(element, name) {
  element.style.setProperty('--hue', hueOf(name));
  element.textContent = [...name.replace(/^[_-]+/u, '')][0]?.toUpperCase() ?? name[0];
}
