//! Commands for the engine, decoded from any bytes.

/// How a participant reads its events.
#[derive(Debug, Clone, Copy)]
pub(super) enum ReaderKind {
    /// Typed events, with a queue of this capacity.
    Events { capacity: usize },
    /// `chat.v2` frames, with an outbox of these limits.
    Frames { frames: usize, bytes: usize },
}

/// The position after which a participant requests messages.
#[derive(Debug, Clone, Copy)]
pub(super) enum StartAt {
    Now,
    /// `back` messages before the newest one; after it if negative.
    Newest {
        back: i64,
    },
    AnotherEpoch,
}

/// A command. Numbers select participants by their index in the list, and rooms and users.
#[derive(Debug, Clone, Copy)]
pub(super) enum Command {
    /// Joins with lists of members.
    JoinWithLists {
        room: u8,
        user: u8,
        capacity: usize,
    },
    /// Joins with changes of presence.
    Join {
        room: u8,
        user: u8,
        reads: ReaderKind,
        from: StartAt,
        history: usize,
    },
    /// Requests an admission and drops it.
    Admit {
        room: u8,
        user: u8,
    },
    /// Many participants with fast readers join at once.
    JoinMany {
        room: u8,
        count: u8,
    },
    Leave {
        who: u8,
        with_notice: bool,
    },
    Send {
        who: u8,
        id: Option<u8>,
        body: u8,
    },
    Read {
        who: u8,
        amount: usize,
    },
    Before {
        who: u8,
        seq: u64,
        limit: usize,
    },
    After {
        who: u8,
        seq: u64,
        limit: usize,
    },
    Members {
        who: u8,
        after: Option<u8>,
        prefix: bool,
        limit: usize,
    },
    Typing {
        who: u8,
    },
    Refuse {
        who: u8,
    },
    Detach {
        who: u8,
    },
    /// Another session of the same user replaces this one.
    Replace {
        who: u8,
        reads: ReaderKind,
        from: StartAt,
        history: usize,
    },
    Notice {
        room: u8,
    },
    /// Holds appends back from now on.
    Hold,
    /// Stores this many of the held appends.
    Store {
        count: u8,
    },
    /// Fails this many of the held appends.
    Fail {
        count: u8,
    },
    /// Stores all held appends, and holds none from now on.
    Release,
    /// Deletes the messages with `count` numbers, in a task of its own. The first number is `back`
    /// numbers before that of the newest event; after it if negative.
    Delete {
        room: u8,
        back: i64,
        count: u8,
    },
    /// Requests a snapshot, as after a gap; `Now` from the participant's own position.
    Resync {
        who: u8,
        from: StartAt,
        history: usize,
    },
    /// Stores this many of the held appends, but reports errors.
    FailFalsely {
        count: u8,
    },
    /// Lets time pass between the next read of the store and its answer: `failing` of the held
    /// appends fail falsely, and then `stored` are stored.
    AnswerLate {
        failing: u8,
        stored: u8,
    },
    /// Replaces the text of the message whose number is `back` before that of the newest event.
    Edit {
        who: u8,
        back: i64,
        id: Option<u8>,
        body: u8,
    },
    /// Replies to that message.
    Reply {
        who: u8,
        back: i64,
        id: Option<u8>,
        body: u8,
    },
    /// Puts an emoji on that message, or removes it.
    React {
        who: u8,
        back: i64,
        emoji: u8,
        is_added: bool,
    },
    /// Everyone in the room puts an emoji on that message, or removes it.
    ReactAll {
        room: u8,
        back: i64,
        emoji: u8,
        is_added: bool,
    },
    /// Changes who may post, in a task of its own: everyone, or moderators, of whom there are none.
    Configure {
        room: u8,
        is_open: bool,
    },
    /// Yields to the runtime once.
    Yield,
    /// Runs everything that does not need time to pass.
    Settle,
    /// Lets the coalescing window pass.
    Wait,
    /// Closes the engine: no one is admitted any more.
    Close,
}

/// Decodes bytes into commands.
pub(super) struct Commands<'a>(std::slice::Iter<'a, u8>);

impl<'a> Commands<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes.iter())
    }

    fn byte(&mut self) -> Option<u8> {
        self.0.next().copied()
    }

    fn reads(&mut self) -> Option<ReaderKind> {
        Some(match self.byte()? {
            byte @ 0..64 => ReaderKind::Events { capacity: usize::from(byte) + 1 },
            64..128 => ReaderKind::Events { capacity: 100_000 },
            byte @ 128..192 => ReaderKind::Frames { frames: usize::from(byte - 127), bytes: 8 << 20 },
            byte => ReaderKind::Frames { frames: 65_536, bytes: usize::from(byte - 191) * 300 },
        })
    }

    fn from(&mut self) -> Option<StartAt> {
        Some(match self.byte()? {
            0..96 => StartAt::Now,
            96..104 => StartAt::AnotherEpoch,
            byte => StartAt::Newest { back: i64::from(byte) - 108 },
        })
    }

    fn seq(&mut self) -> Option<u64> {
        self.byte().map(|byte| if byte == u8::MAX { u64::MAX } else { u64::from(byte) })
    }

    /// A number that is this much before the newest one.
    fn back(&mut self) -> Option<i64> {
        Some(i64::from(self.byte()? % 32) - 1)
    }

    /// A message's number as [`back`](Self::back), which of few emoji, and whether it is added.
    fn reaction(&mut self) -> Option<(i64, u8, bool)> {
        let (back, byte) = (self.back()?, self.byte()?);
        Some((back, byte % 3, byte < 160))
    }

    fn size(&mut self) -> Option<usize> {
        self.byte().map(usize::from)
    }
}

impl Iterator for Commands<'_> {
    type Item = Command;

    fn next(&mut self) -> Option<Command> {
        Some(match self.byte()? % 32 {
            0 | 1 => Command::JoinWithLists {
                room: self.byte()?,
                user: self.byte()?,
                capacity: self.size()? * 8 + 1,
            },
            2..5 => Command::Join {
                room: self.byte()?,
                user: self.byte()?,
                reads: self.reads()?,
                from: self.from()?,
                history: self.size()?,
            },
            5 => Command::Admit { room: self.byte()?, user: self.byte()? },
            6 => Command::JoinMany { room: self.byte()?, count: self.byte()? % 64 },
            7 => Command::Leave { who: self.byte()?, with_notice: false },
            8 => Command::Leave { who: self.byte()?, with_notice: true },
            9..14 => {
                let (who, id) = (self.byte()?, self.byte()?);
                Command::Send { who, id: (id >= 64).then_some(id % 8), body: self.byte()? }
            }
            14 | 15 => Command::Read { who: self.byte()?, amount: self.size()? },
            16 => Command::Before { who: self.byte()?, seq: self.seq()?, limit: self.size()? },
            17 => Command::After { who: self.byte()?, seq: self.seq()?, limit: self.size()? },
            18 => {
                let (who, after, limit) = (self.byte()?, self.byte()?, self.size()?);
                Command::Members {
                    who,
                    after: (after >= 128).then_some(after),
                    prefix: after % 2 == 1,
                    limit,
                }
            }
            19 => Command::Typing { who: self.byte()? },
            20 => Command::Refuse { who: self.byte()? },
            21 => Command::Detach { who: self.byte()? },
            22 => Command::Replace {
                who: self.byte()?,
                reads: self.reads()?,
                from: self.from()?,
                history: self.size()?,
            },
            23 => Command::Notice { room: self.byte()? },
            24 => Command::Hold,
            25 => Command::Store { count: self.byte()? },
            26 => Command::Fail { count: self.byte()? },
            27 => Command::Release,
            28 => Command::Yield,
            29 => Command::Settle,
            30 => Command::Wait,
            // later commands are here, so that the others keep their bytes
            _ => match self.byte()? {
                0..16 => Command::Yield,
                16..32 => {
                    let (who, (back, emoji, is_added)) = (self.byte()?, self.reaction()?);
                    Command::React { who, back, emoji, is_added }
                }
                byte @ 32..52 => {
                    let (who, back, id) = (self.byte()?, self.back()?, self.byte()?);
                    let (id, body) = ((id >= 64).then_some(id % 8), self.byte()?);
                    if byte < 44 {
                        Command::Edit { who, back, id, body }
                    } else {
                        Command::Reply { who, back, id, body }
                    }
                }
                52..58 => {
                    let (room, (back, emoji, is_added)) = (self.byte()?, self.reaction()?);
                    Command::ReactAll { room, back, emoji, is_added }
                }
                58..64 => {
                    let byte = self.byte()?;
                    Command::Configure { room: byte / 2, is_open: byte % 2 == 0 }
                }
                64..144 => {
                    let (room, back) = (self.byte()?, i64::from(self.byte()?) - 8);
                    Command::Delete { room, back, count: self.byte()? }
                }
                144..192 => Command::Resync { who: self.byte()?, from: self.from()?, history: self.size()? },
                192..224 => Command::FailFalsely { count: self.byte()? % 8 },
                224..u8::MAX => {
                    let byte = self.byte()?;
                    Command::AnswerLate { failing: byte % 16, stored: byte / 16 }
                }
                u8::MAX => Command::Close,
            },
        })
    }
}
