// Notifications of the page.

/** A browser context in which notifications are on, and collected in `window.notifications`. */
export async function notifiedContext(fixture) {
  const context = await fixture.context({ permissions: ['notifications'] });
  await context.addInitScript(() => {
    window.notifications = [];
    window.Notification = class extends EventTarget {
      static permission = 'granted';
      constructor(title, { body }) {
        super();
        this.body = body;
        window.notifications.push(this);
      }
      close() {
        this.isClosed = true;
      }
    };
    localStorage.setItem('chatd.settings', JSON.stringify({ notify: true }));
  });
  return context;
}

/** The notifications that were shown in such a context: the text, and whether it was closed. */
export function notificationsOf(user) {
  return user.page.evaluate(() => window.notifications.map(({ body, isClosed = false }) => [body, isClosed]));
}
