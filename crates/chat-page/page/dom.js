// Creating and finding elements.

/**
 * `h('p', {class: 'x', onclick: f}, 'text', child)`. A property or child that is `null`,
 * `undefined` or `false` is omitted.
 */
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

const SVG = 'http://www.w3.org/2000/svg';

/** An icon of the sprite in `index.html`. */
export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  const use = document.createElementNS(SVG, 'use');
  use.setAttribute('href', `#i-${name}`);
  svg.setAttribute('aria-hidden', 'true');
  svg.append(use);
  return svg;
}

/** The element of `index.html` with this id. */
export function byId(id) {
  return document.getElementById(id);
}

/** Loads a style sheet that only a part of the page needs. */
export function loadStyles(href) {
  return new Promise((resolve) => {
    document.head.append(h('link', { rel: 'stylesheet', href, onload: resolve, onerror: resolve }));
  });
}

/** Shows a text. Hides the element if the text is empty. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
  element.hidden = text === '';
}

/**
 * Makes `children` the children of an element, in this order. Children that keep their order are
 * not moved: an element that is moved between press and release gets no click, and loses the focus.
 */
export function arrange(parent, children) {
  const kept = new Set(children);
  for (const child of [...parent.children]) if (!kept.has(child)) child.remove();
  let next = parent.firstElementChild;
  for (const child of children) {
    if (child === next) next = next.nextElementSibling;
    else parent.insertBefore(child, next);
  }
}

/** Lets a dialog be closed by its close buttons and by a click outside it. */
export function closable(dialog) {
  // A long press that has opened the dialog ends with a click outside it, which does not count.
  let isPressed = false;
  dialog.addEventListener('pointerdown', ({ target }) => (isPressed = target === dialog));
  dialog.addEventListener('close', () => (isPressed = false));
  dialog.addEventListener('click', (event) => {
    const isCloseButton = event.target.closest('[data-close]');
    if (isCloseButton || (isPressed && event.target === dialog && isOutside(dialog, event))) dialog.close();
  });
}

function isOutside(dialog, { clientX, clientY, detail }) {
  // A click that was made with a key has no coordinates.
  if (detail === 0) return false;
  const { left, right, top, bottom } = dialog.getBoundingClientRect();
  return clientX < left || clientX > right || clientY < top || clientY > bottom;
}

const HUES = [15, 45, 75, 120, 150, 180, 210, 240, 265, 290, 320, 345];

/**
 * The colour of a user. It is derived from the user's id, so it is the same everywhere, and a later
 * user of the same name has another one.
 */
export function hueOf(id) {
  let hash = 7;
  for (const character of id) hash = (hash * 31 + character.codePointAt(0)) % 9973;
  return HUES[hash % HUES.length];
}

export function avatar({ username, user }, ...classes) {
  const element = h('span', { class: ['avatar', ...classes].join(' '), 'aria-hidden': 'true' });
  setAvatar(element, { username, user });
  return element;
}

export function setAvatar(element, { username, user }) {
  element.style.setProperty('--hue', hueOf(user));
  element.textContent = [...username.replace(/^[_-]+/u, '')][0]?.toUpperCase() ?? username[0];
}
