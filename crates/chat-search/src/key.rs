//! The keys by which messages are ordered: the time at which they were sent, and a number that
//! tells messages of one millisecond apart. And how databases store numbers.

use chat_protocol::Timestamp;

/// The key of a message. Keys are not negative.
pub(crate) type Key = i64;

/// How many bits of a key tell messages of one millisecond apart. If they are more than these bits
/// can count, the others have the keys of the next milliseconds.
pub(crate) const TIE_BITS: u32 = 6;

/// The latest time that has a key of its own.
const MAX_MILLIS: i64 = i64::MAX >> (TIE_BITS + 1);

/// The first key of a message that was sent at this time. If it is taken, the message gets the next
/// one that is free.
pub(crate) fn first_key(sent_at: Timestamp) -> Key {
    sent_at.as_millis().clamp(0, MAX_MILLIS) << TIE_BITS
}

/// How many keys an hour has.
#[cfg(feature = "sqlite")]
pub(crate) const HOUR_KEYS: i64 = 3_600_000 << TIE_BITS;

/// A number as the API has it. Negative numbers occur only if another program has written them.
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub(crate) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

/// A number as a database has it.
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
