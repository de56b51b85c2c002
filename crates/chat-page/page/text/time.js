// Times as people here write them.

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: 'numeric', minute: '2-digit' });
const DAY = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' });
const DAY_AND_YEAR = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' });
const FULL = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'medium' });
/** Today and yesterday in the language of the other dates. */
const NEAR = new Intl.RelativeTimeFormat(undefined, { numeric: 'auto' });
/** How often the page looks whether a new day has begun. A timer up to midnight would be late after a sleep or a change of the clock. */
const LOOK_EVERY_MS = 20_000;

export const clock = (date) => CLOCK.format(date);
export const full = (date) => FULL.format(date);

/** A number that is the same for all moments of one local day. */
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

/** Calls `listener` when the local day changes, also by a change of the clock or of the time zone. */
export function onNewDay(listener) {
  let today = dayOf(new Date());
  const look = () => {
    const now = dayOf(new Date());
    if (now === today) return;
    today = now;
    listener();
  };
  setInterval(look, LOOK_EVERY_MS);
  document.addEventListener('visibilitychange', look);
  window.addEventListener('focus', look);
}
