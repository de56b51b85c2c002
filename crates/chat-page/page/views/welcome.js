import { h } from '../dom.js';
import { inviteButtons } from './invite.js';

/** The card of an empty room. `invite()` opens the dialog that invites people. */
export function welcome(room, invite) {
  return [h('strong', {}, 'No messages yet. Say hello!'), h('br'), ...invitation(room, invite)];
}

function invitation(room, invite) {
  if (room.isDirect) return ['Only the two of you can read this room.'];
  if (!room.isForMembers) return ['Invite people with a link to this room.', h('span', { class: 'invite-buttons' }, inviteButtons(room.name))];
  const words = 'Only people who are invited can join this room.';
  if (!room.isModerator) return [words];
  return [words, h('span', { class: 'invite-buttons' }, h('button', { type: 'button', class: 'invite', id: 'invite-first', 'aria-haspopup': 'dialog', onclick: invite }, 'Invite people'))];
}
