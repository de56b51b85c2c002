//! Recovers what a session missed: reads it from the store until the rest is in the room's tail.

use std::collections::BTreeMap;
use std::sync::Arc;

use chat_history::{Changed, Messages, Own, Page};
use chat_protocol::{Message, OwnReactions, UserId};

use crate::room::own_reactions::OwnReads;
use crate::room::tail::Tail;

/// The maximum number of reads. A store that is slower than the room's senders would never get to
/// the end.
const MAX_READS: usize = 32;

/// How many messages one read from the store asks for.
const READ_MESSAGES: usize = 200;

/// Limits what a session recovers. If it missed more, it receives the newest messages instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CatchUpLimits {
    /// The maximum number of messages, posted and changed ones together.
    pub messages: usize,
    /// The maximum size of all messages together, counted by [`Message::encoded_size`]. It also
    /// limits the newest messages.
    pub bytes: usize,
}

impl CatchUpLimits {
    /// Creates limits of `messages` messages and `bytes` bytes.
    pub const fn new(messages: usize, bytes: usize) -> Self {
        Self { messages, bytes }
    }
}

impl Default for CatchUpLimits {
    /// 1,000 messages and 960 KiB.
    fn default() -> Self {
        Self::new(1_000, (1 << 20) - (64 << 10))
    }
}

/// What to recover.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// Everything after this number, or else the newest messages.
    Since(u64),
    /// The newest messages.
    Newest,
}

/// A recovery in progress.
#[derive(Debug)]
pub(crate) struct CatchUp {
    wanted: Wanted,
    /// How many of the newest messages to send if `Since` cannot be recovered or was not requested.
    newest: usize,
    limits: CatchUpLimits,
    read: Option<Range>,
    reads: usize,
    own: OwnReads,
}

/// A range of a room's messages, as read from the store.
#[derive(Debug)]
struct Range {
    /// Oldest first.
    messages: Vec<Arc<Message>>,
    first: u64,
    /// The last number of the range, inclusive.
    last: u64,
    /// Older messages that were changed after the requested position, by number.
    changed: BTreeMap<u64, Arc<Message>>,
    /// The encoded size of both. It is counted when messages are added, because a step runs under
    /// the room's lock.
    bytes: usize,
    /// The states include all events up to this number.
    states: u64,
}

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Read this, and [add](CatchUp::add) it.
    Read(Read),
    /// Recovery is complete.
    Done(CaughtUp),
}

/// What to read from the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Read {
    /// A page of messages.
    Page(Page),
    /// The messages that events after this number have changed.
    Changed {
        /// The number, exclusive.
        after: u64,
        /// The maximum number of messages.
        limit: usize,
    },
    /// Which reactions on some messages are of one of these users.
    Own {
        /// The numbers of the messages.
        targets: Vec<u64>,
        users: Vec<UserId>,
    },
}

/// What was read from the store.
#[derive(Debug)]
pub(crate) enum Found {
    Page(Messages),
    Changed(Changed),
    Own(Own),
}

/// What was recovered, up to the newest event that was delivered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CaughtUp {
    /// The number with which the range of `messages` begins.
    pub(crate) first: u64,
    /// The messages of the range, oldest first, as they are now.
    pub(crate) messages: Vec<Arc<Message>>,
    /// The messages before the range that were changed after the requested position, oldest first.
    /// `None` if not everything after that position was recovered.
    pub(crate) changed: Option<Vec<Arc<Message>>>,
    /// Which of the reactions on these messages are the user's own.
    pub(crate) mine: OwnReactions,
}

impl CatchUp {
    /// Recovers everything after `since`, or up to `newest` of the newest messages if `since` is
    /// `None` or cannot be recovered.
    pub(crate) fn new(since: Option<u64>, newest: usize, limits: CatchUpLimits) -> Self {
        let wanted = since.map_or(Wanted::Newest, Wanted::Since);
        Self { wanted, newest, limits, read: None, reads: 0, own: OwnReads::of(Vec::new()) }
    }

    /// Finds out which reactions are of the user with these ids.
    pub(crate) fn for_user(self, ids: Vec<UserId>) -> Self {
        Self { own: OwnReads::of(ids), ..self }
    }

    /// Returns what to do next, given the current tail of the room.
    pub(crate) fn step(&mut self, tail: &Tail) -> Step {
        let mut caught = match self.step_messages(tail) {
            Step::Done(caught) => caught,
            read @ Step::Read(_) => return read,
        };
        match self.own.step(caught.changed.iter().flatten().chain(&caught.messages), tail) {
            Ok(mine) => caught.mine = mine,
            Err(read) => return Step::Read(read),
        }
        Step::Done(caught)
    }

    fn step_messages(&mut self, tail: &Tail) -> Step {
        if let Wanted::Since(since) = self.wanted {
            match self.step_since(since, tail) {
                Some(step) => return step,
                None => self.give_up(),
            }
        }
        self.step_newest(tail)
    }

    /// Returns `None` if what came after `since` cannot be recovered.
    fn step_since(&self, since: u64, tail: &Tail) -> Option<Step> {
        if since > tail.newest() || self.reads > MAX_READS {
            return None;
        }
        let Some(range) = &self.read else {
            if !tail.covers(since + 1) {
                return Some(Step::Read(Read::Changed { after: since, limit: self.limits.messages }));
            }
            return self.fit(since, Range::empty(since).complete(since, tail));
        };
        // what does not fit into one reply is not read to the end
        if range.count() > self.limits.messages || range.bytes > self.limits.bytes {
            return None;
        }
        match range.missing(tail, self.limits.messages) {
            Some(read) => Some(Step::Read(read)),
            None => self.fit(since, range.complete(since, tail)),
        }
    }

    /// The end of the recovery, if the result fits.
    fn fit(&self, since: u64, (messages, changed): (Vec<Arc<Message>>, Vec<Arc<Message>>)) -> Option<Step> {
        let size = |messages: &[Arc<Message>]| encoded_size(messages);
        let fits = messages.len() + changed.len() <= self.limits.messages
            && size(&messages) + size(&changed) <= self.limits.bytes;
        let mine = OwnReactions::new();
        let caught = CaughtUp { first: since + 1, messages, changed: Some(changed), mine };
        fits.then_some(Step::Done(caught))
    }

    fn step_newest(&self, tail: &Tail) -> Step {
        let Some(range) = &self.read else {
            if self.reads > MAX_READS || tail.first() == 1 || tail.message_count() >= self.newest {
                return self.newest_of(tail.first(), tail.messages().map(Arc::clone).collect(), tail);
            }
            return Step::Read(Read::Page(Page::Before { seq: tail.newest() + 1, limit: self.newest }));
        };
        match range.missing(tail, READ_MESSAGES) {
            // the room is too fast: send what is in memory
            Some(_) if self.reads > MAX_READS => {
                self.newest_of(tail.first(), tail.messages().map(Arc::clone).collect(), tail)
            }
            Some(read) => Step::Read(read),
            None => self.newest_of(range.first, range.complete(range.first - 1, tail).0, tail),
        }
    }

    /// The end of the recovery with the newest messages, as many as were requested and fit, of
    /// those from the number `first` on.
    fn newest_of(&self, first: u64, mut messages: Vec<Arc<Message>>, tail: &Tail) -> Step {
        let mut bytes = 0;
        let fits = |message: &&Arc<Message>| {
            bytes += message.encoded_size();
            bytes <= self.limits.bytes
        };
        let count = messages.iter().rev().take(self.newest).take_while(fits).count();
        let is_whole = count == messages.len();
        let messages = messages.split_off(messages.len() - count);
        let first = match messages.first() {
            Some(oldest) if !is_whole => oldest.seq,
            None if !is_whole || self.newest == 0 => tail.newest() + 1,
            _ => first.min(tail.newest() + 1),
        };
        Step::Done(CaughtUp { first, messages, changed: None, mine: OwnReactions::new() })
    }

    fn give_up(&mut self) {
        self.wanted = Wanted::Newest;
        self.read = None;
        self.reads = 0;
    }

    /// Adds what was read.
    pub(crate) fn add(&mut self, found: Found) {
        if let Found::Own(own) = found {
            return self.own.add(own);
        }
        self.reads += 1;
        let is_complete = match (found, self.wanted) {
            (Found::Own(_), _) => true,
            (Found::Page(page), _) => self.add_page(page),
            (Found::Changed(changed), Wanted::Since(since)) => self.add_changed(changed, since),
            (Found::Changed(changed), Wanted::Newest) => match &mut self.read {
                Some(range) => range.update(changed, 0),
                None => true,
            },
        };
        if !is_complete {
            self.give_up();
        }
    }

    /// Returns `false` if a message is missing that was removed.
    fn add_page(&mut self, page: Messages) -> bool {
        let Some(range) = &mut self.read else {
            self.read = Some(Range::new(page));
            return true;
        };
        if page.first != range.last + 1 {
            return false;
        }
        range.bytes += encoded_size(&page.messages);
        range.messages.extend(page.messages);
        range.last = page.last;
        true
    }

    /// Returns `false` if there are too many.
    fn add_changed(&mut self, changed: Changed, since: u64) -> bool {
        let range = self.read.get_or_insert_with(|| Range::empty(since));
        range.update(changed, since)
    }
}

impl Range {
    fn new(page: Messages) -> Self {
        let Messages { messages, first, last, newest, .. } = page;
        let bytes = encoded_size(&messages);
        Self { messages, first, last, changed: BTreeMap::new(), bytes, states: newest }
    }

    /// Nothing, as of the event `since`.
    fn empty(since: u64) -> Self {
        let (messages, changed) = (Vec::new(), BTreeMap::new());
        Self { messages, first: since + 1, last: since, changed, bytes: 0, states: since }
    }

    fn count(&self) -> usize {
        self.messages.len() + self.changed.len()
    }

    /// What has to be read before the tail has the rest.
    fn missing(&self, tail: &Tail, limit: usize) -> Option<Read> {
        if !tail.covers(self.last + 1) {
            return Some(Read::Page(Page::After { seq: self.last, limit: READ_MESSAGES }));
        }
        let has_states = tail.covers(self.states + 1);
        (!has_states).then_some(Read::Changed { after: self.states, limit })
    }

    /// Brings all states up to date. Returns `false` if too many messages have changed.
    fn update(&mut self, changed: Changed, since: u64) -> bool {
        let Some(states) = changed.messages else { return false };
        for state in states {
            if state.seq <= since {
                self.bytes += state.encoded_size();
                if let Some(before) = self.changed.insert(state.seq, state) {
                    self.bytes -= before.encoded_size();
                }
            } else {
                replace(&mut self.messages, &state);
            }
        }
        self.states = changed.newest;
        true
    }

    /// The messages of the range up to the newest delivered event, and the changed messages up to
    /// `since`, with what the tail has. It has to have all that is missing.
    fn complete(&self, since: u64, tail: &Tail) -> (Vec<Arc<Message>>, Vec<Arc<Message>>) {
        // messages that are committed but not delivered yet arrive with the live stream
        let delivered = self.messages.partition_point(|message| message.seq <= tail.newest());
        let rest = tail.messages_from(self.last + 1);
        let mut messages: Vec<_> = self.messages[..delivered].iter().chain(rest).map(Arc::clone).collect();
        let mut changed = self.changed.clone();
        for (seq, state) in tail.changed_from(self.states + 1) {
            if seq > since {
                replace(&mut messages, state);
            } else if changed.get(&seq).is_none_or(|held| held.changed_seq < state.changed_seq) {
                changed.insert(seq, Arc::clone(state));
            }
        }
        (messages, changed.into_values().collect())
    }
}

/// Replaces a message in a list by a newer state.
pub(crate) fn replace(messages: &mut [Arc<Message>], state: &Arc<Message>) {
    if let Ok(index) = messages.binary_search_by_key(&state.seq, |message| message.seq)
        && messages[index].changed_seq < state.changed_seq
    {
        messages[index] = Arc::clone(state);
    }
}

fn encoded_size(messages: &[Arc<Message>]) -> usize {
    messages.iter().map(|message| message.encoded_size()).sum()
}

#[cfg(test)]
mod tests;
