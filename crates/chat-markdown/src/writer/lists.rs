//! Lists, their items and numbers.

use std::ops::Range;

use super::open::Open;
use super::state::{Numbers, Writer};
use crate::classes;

impl Writer<'_> {
    /// A list fits if its items fit.
    pub(super) fn list(&mut self, first: Option<u64>, range: Range<usize>) {
        self.lists.push(first.map(|next| Numbers { first: next, is_same: true, next }));
        if !self.stack.has_room_for_blocks(2) {
            return self.stack.push(Open::DeepBlock);
        }
        self.begin(range);
        match first {
            None => self.block("ul", &[]),
            Some(1) => self.block("ol", &[]),
            Some(first) => self.block("ol", &[("start", &first.to_string())]),
        }
    }

    pub(super) fn item(&mut self, range: Range<usize>) {
        if !self.stack.has_room_for_blocks(1) {
            return self.stack.push(Open::DeepBlock);
        }
        let source = self.body[range].trim_start();
        let digits = source.len() - source.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let value = self.number(source[..digits].parse().ok());
        let text = source[digits..].trim_start_matches(['-', '*', '.', ')']).trim_start();
        let is_task = ["[ ]", "[x]", "[X]"].iter().any(|marker| text.starts_with(marker));
        let mut attributes = Vec::new();
        if is_task {
            attributes.push(("class", classes::TASK));
        }
        if let Some(value) = &value {
            attributes.push(("value", value.as_str()));
        }
        self.block("li", &attributes);
    }

    /// The number of an item if it differs from the one that a browser would count. If all items
    /// have the same number, they are counted.
    pub(super) fn number(&mut self, written: Option<u64>) -> Option<String> {
        let numbers = self.lists.last_mut()?.as_mut()?;
        let written = written?;
        numbers.is_same &= written == numbers.first;
        let is_other = written != numbers.next && !numbers.is_same;
        if is_other {
            numbers.next = written;
        }
        numbers.next = numbers.next.saturating_add(1);
        is_other.then(|| written.to_string())
    }
}
