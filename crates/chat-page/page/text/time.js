// Times in the user's locale.

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: 'numeric', minute: '2-digit' });
const DAY = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' });
const DAY_AND_YEAR = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' });
const FULL = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'medium' });
/** "Today" and "yesterday", in the language of the other dates. */
const NEAR = new Intl.RelativeTimeFormat(undefined, { numeric: 'auto' });
/**
 * How often the page checks for a new day. A timer set to midnight would fire late after the
 * computer slept or the clock changed.
 */
const CHECK_INTERVAL_MS = 20_000;

export const clock = (date) => CLOCK.format(date);
export const full = (date) => FULL.format(date);

/** A number that identifies a local day. */
export function dayOf(date) {
  return date.getFullYear() * 10_000 + date.getMonth() * 100 + date.getDate();
}

export function dayName(date, now = new Date()) {
  if (dayOf(date) === dayOf(now)) return near(0);
  const yesterday = new Date(now);
  yesterday.setDate(now.getDate() - 1);
  if (dayOf(date) === dayOf(yesterday)) return near(-1);
  return (date.getFullYear() === now.getFullYear() ? DAY : DAY_AND_YEAR).format(date);
}

function near(days) {
  const name = NEAR.format(days, 'day');
  return name.charAt(0).toLocaleUpperCase() + name.slice(1);
}

/** Calls `listener` when the local day changes, also because the clock or the time zone changed. */
export function onNewDay(listener) {
  let today = dayOf(new Date());
  const check = () => {
    const now = dayOf(new Date());
    if (now === today) return;
    today = now;
    listener();
  };
  setInterval(check, CHECK_INTERVAL_MS);
  document.addEventListener('visibilitychange', check);
  window.addEventListener('focus', check);
}
