//! Reactions in the memory store.

use std::sync::Arc;

use chat_protocol::{
    Emoji, MAX_REACTIONS, Message, OwnReactions, REACTION_NAMES, Reaction, ReactionChange, Reactor, UserId,
};

use super::{Log, Rooms};
use crate::{AppendError, Appended, NewReaction, Own, Permission, StoredEvent, StoredReaction};

/// What one reaction of one user counts, in bytes.
const REACTOR: usize = 128;

/// Who has put which emoji on a message, in the order in which each emoji was first used.
pub(super) type Reactors = Vec<(Emoji, Vec<Reactor>)>;

impl Rooms {
    pub(super) fn react(&mut self, reaction: &NewReaction) -> Result<Appended, AppendError> {
        let version = self.policy_version(&reaction.room);
        let log = self.logs.get_mut(&reaction.room).ok_or(AppendError::NotFound)?;
        let (before, seq) = (log.bytes, log.newest + 1);
        log.get(reaction.target).and_then(|message| message.text()).ok_or(AppendError::NotFound)?;
        Permission::check(reaction.permission, version)
            .map_err(|reason| reason.into_error(reaction.clone()))?;
        let Some(change) = log.change_reactors(reaction)? else { return Ok(Appended::Unchanged) };
        let reactions = log.reactions(reaction.target);
        let reacted = |message: &Message| message.reacted(reactions, seq);
        let message = log.change(reaction.target, reacted).ok_or(AppendError::NotFound)?;
        log.newest = seq;
        self.bytes = self.bytes + log.bytes - before;
        self.evict();
        Ok(Appended::Stored(StoredEvent::Reaction(Arc::new(StoredReaction::new(seq, message, change)))))
    }
}

impl Log {
    /// Adds or removes a user. Returns `None` if nothing changes.
    fn change_reactors(&mut self, reaction: &NewReaction) -> Result<Option<ReactionChange>, AppendError> {
        let Some(reactor) = reaction.reactor() else { return Ok(None) };
        let reactors = self.reactors.entry(reaction.target).or_default();
        let index = reactors.iter().position(|(emoji, _)| *emoji == reaction.emoji);
        let is_theirs = |reactor: &Reactor| reaction.authors.contains(&reactor.user);
        let has = index.is_some_and(|index| reactors[index].1.iter().any(is_theirs));
        let (mut added, mut removed) = (Vec::new(), Vec::new());
        let outcome = match index {
            _ if has == reaction.is_added => Ok(None),
            None if reactors.len() >= MAX_REACTIONS => Err(AppendError::LimitReached),
            None => {
                reactors.push((reaction.emoji.clone(), vec![reactor.clone()]));
                added.push(reactor);
                Ok(Some(1))
            }
            Some(index) => {
                let users = &mut reactors[index].1;
                if reaction.is_added {
                    users.push(reactor.clone());
                    added.push(reactor);
                } else {
                    removed.extend(users.extract_if(.., |reactor| is_theirs(reactor)));
                }
                let count = users.len();
                if count == 0 {
                    reactors.remove(index);
                }
                Ok(Some(count))
            }
        };
        if reactors.is_empty() {
            self.reactors.remove(&reaction.target);
        }
        self.bytes += REACTOR * added.len();
        self.bytes -= REACTOR * removed.len();
        let change = |count| ReactionChange { emoji: reaction.emoji.clone(), count, added, removed };
        Ok(outcome?.map(|count| change(count as u64)))
    }

    /// The state of the reactions on a message.
    fn reactions(&self, seq: u64) -> Vec<Reaction> {
        let reaction = |(emoji, users): &(Emoji, Vec<Reactor>)| {
            let names = users.iter().take(REACTION_NAMES).map(|reactor| reactor.username.clone());
            Reaction::new(emoji.clone(), users.len() as u64, names.collect())
        };
        self.reactors.get(&seq).into_iter().flatten().map(reaction).collect()
    }

    /// Which reactions on these messages are of one of these users.
    pub(super) fn own_reactions(&self, targets: &[u64], users: &[UserId]) -> Own {
        let own = |seq: &u64| {
            let is_own = |reactors: &[Reactor]| reactors.iter().any(|reactor| users.contains(&reactor.user));
            let reactors = self.reactors.get(seq)?.iter();
            let own: Vec<_> =
                reactors.filter(|(_, users)| is_own(users)).map(|(emoji, _)| emoji.clone()).collect();
            (!own.is_empty()).then_some((*seq, own))
        };
        Own::new(targets.iter().filter_map(own).collect::<OwnReactions>(), self.newest)
    }

    pub(super) fn forget_reactors(&mut self, seq: u64) {
        let reactors = self.reactors.remove(&seq).unwrap_or_default();
        self.bytes -= REACTOR * reactors.iter().map(|(_, users)| users.len()).sum::<usize>();
    }
}
