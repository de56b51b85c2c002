import { h } from '../dom.js';
import { inviteButtons } from './invite.js';

/** The card of an empty room. */
export function welcome(room) {
  return [
    h('strong', {}, 'No messages yet. Say hello!'), h('br'),
    'Invite people with a link to this room.',
    h('span', { class: 'invite-buttons' }, inviteButtons(room)),
  ];
}
