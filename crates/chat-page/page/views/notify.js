// What reaches a user who is looking elsewhere: the title, and notifications of mentions.

import { siteName } from '../state/account.js';
import { settings } from '../state/settings.js';
import { isolated } from '../text/names.js';
import { unreadCount } from '../text/words.js';

export function watchTitle(chat) {
  const update = () => {
    const room = chat.shown ? `${isolated(chat.shown.label)} – ${siteName()}` : siteName();
    document.title = chat.unread > 0 ? `(${unreadCount(chat)}) ${room}` : room;
  };
  chat.on('rooms', update);
  chat.on('shown', update);
  update();
}

export function notifyOfMentions(chat) {
  /** The last notification of each room, which replaces the earlier ones: `{seq, notification}`. */
  const shown = new Map();
  chat.on('retracted', ({ room, seqs }) => {
    const last = shown.get(room);
    if (!last || (seqs && !seqs.includes(last.seq))) return;
    shown.delete(room);
    last.notification.close();
  });
  chat.on('mention', ({ room, message }) => {
    const isSeen = document.hasFocus() && room === chat.shown;
    if (isSeen || room.isMuted || !settings.get('notify') || globalThis.Notification?.permission !== 'granted') return;
    try {
      const options = { body: message.body.slice(0, 200), tag: `chatd-${room.name}`, icon: '/page/icon.svg' };
      const notification = new Notification(`${isolated(message.from)}${room.isDirect ? '' : ` in ${room.called}`}`, options);
      shown.set(room, { seq: message.seq, notification });
      notification.addEventListener('click', () => {
        window.focus();
        chat.show(room);
        notification.close();
      });
    } catch {
      // Some phones allow notifications only from service workers.
    }
  });
}
