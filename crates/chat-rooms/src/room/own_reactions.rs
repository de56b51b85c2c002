//! Finds out which of the reactions on some messages are a user's own.

use std::collections::BTreeSet;
use std::sync::Arc;

use chat_history::Own;
use chat_protocol::{Message, OwnReactions, UserId};

use crate::room::catch_up::Read;
use crate::room::tail::Tail;

/// The maximum number of reads. The tail of a room that is faster than the store answers would
/// never reach back to the last one.
const MAX_READS: usize = 8;

/// The reactions of one user, as read from the store.
#[derive(Debug)]
pub(crate) struct OwnReads {
    /// The ids of the user. Without any, nothing is read.
    users: Vec<UserId>,
    question: Option<Question>,
    answer: Option<OwnReactions>,
    reads: usize,
}

/// What was asked.
#[derive(Debug)]
struct Question {
    /// The messages of the list. Those without reactions were not asked about.
    listed: BTreeSet<u64>,
    /// The newest event in the tail at that time.
    newest: u64,
}

impl OwnReads {
    /// The reactions of the user with these ids.
    pub(crate) fn of(users: Vec<UserId>) -> Self {
        Self { users, question: None, answer: None, reads: 0 }
    }

    /// The user's own reactions on the messages of a list, as of the newest event in the tail.
    ///
    /// # Errors
    /// What has to be read from the store first.
    pub(crate) fn step<'m>(
        &mut self,
        messages: impl Iterator<Item = &'m Arc<Message>> + Clone,
        tail: &Tail,
    ) -> Result<OwnReactions, Read> {
        let has_reactions =
            |message: &&Arc<Message>| message.text().is_some_and(|text| !text.reactions().is_empty());
        let targets: Vec<u64> = messages.clone().filter(has_reactions).map(|message| message.seq).collect();
        if self.users.is_empty() || targets.is_empty() {
            return Ok(OwnReactions::new());
        }
        if let Some((question, answer)) = self.question.as_ref().zip(self.answer.as_ref())
            && (self.reads >= MAX_READS || question.is_answered(&targets, tail))
        {
            let mut own = answer.clone();
            // from the question on, and not only from the answer: this is also right for messages
            // that had no reactions when the question was asked
            tail.apply_reactions(question.newest + 1, &self.users, &mut own);
            own.retain(|seq, emoji| targets.binary_search(seq).is_ok() && !emoji.is_empty());
            return Ok(own);
        }
        let listed = messages.map(|message| message.seq).collect();
        self.question = Some(Question { listed, newest: tail.newest() });
        self.answer = None;
        Err(Read::Own { targets, users: self.users.clone() })
    }

    /// Adds what was read.
    pub(crate) fn add(&mut self, own: Own) {
        self.reads += 1;
        self.answer = Some(own.reactions);
    }
}

impl Question {
    /// Whether its answer and the tail tell everything about these messages.
    fn is_answered(&self, targets: &[u64], tail: &Tail) -> bool {
        let is_known = |seq: &u64| *seq > self.newest || self.listed.contains(seq);
        tail.covers(self.newest + 1) && targets.iter().all(is_known)
    }
}
