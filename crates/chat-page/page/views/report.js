// The dialog that reports a message. It is loaded when it is opened for the first time.

import { h, setText } from '../dom.js';
import { isolated } from '../text/names.js';
import { inWords } from '../text/words.js';
import { FormDialog, field } from './form-dialog.js';

const MAX_REASON = 300;
const MAX_QUOTED = 300;

export class Report {
  #lead = h('p', { id: 'report-lead', class: 'quiet' });
  #quote = h('blockquote', { class: 'reported', dir: 'auto' });
  #reason = h('textarea', { id: 'report-reason', rows: 2, maxlength: MAX_REASON, dir: 'auto', 'aria-describedby': 'report-lead report-reason-hint' });
  #form = new FormDialog('report', [
    this.#quote, this.#lead,
    field('Reason (optional)', this.#reason, h('p', { id: 'report-reason-hint', class: 'hint' }, `At most ${MAX_REASON} characters.`)),
  ], { submit: () => this.#submit(), words });
  #done;
  #room = null;
  #message = null;

  /** `done(text)` is called with what has been done. */
  constructor(done) {
    this.#done = done;
  }

  open(room, message) {
    [this.#room, this.#message] = [room, message];
    this.#form.title = ['Report a message of ', h('bdi', {}, message.from)];
    this.#form.button = 'Report';
    const { body } = message;
    setText(this.#quote, body.length > MAX_QUOTED ? `${body.slice(0, MAX_QUOTED)}…` : body);
    setText(this.#lead, `${readers(room)} read your report and a copy of the message. ${isolated(message.from)} does not learn of it.`);
    this.#reason.value = '';
    return this.#form.open(this.#reason, message.seq);
  }

  async #submit() {
    await this.#room.room.report(this.#message.seq, this.#reason.value.trim() || undefined);
    this.#done(`Reported. ${readers(this.#room)} will look at it.`);
  }
}

/** A direct room has no moderators of its own. */
const readers = (room) => (room.isDirect ? 'The people who run and moderate this site' : 'The moderators of this room');

function words(error) {
  if (error.code === 'limit_reached') return 'You have many open reports in this room already. Wait until the moderators have looked at them.';
  return inWords(error);
}
