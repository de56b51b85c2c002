//! What is done to the engine, read off any bytes.

/// How somebody who comes reads what it is told.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reads {
    /// Events as they are, of which so many may wait.
    Events { capacity: usize },
    /// The bytes of `chat.v2`, of which so many may wait.
    Frames { frames: usize, bytes: usize },
}

/// From where on somebody wants what was said.
#[derive(Debug, Clone, Copy)]
pub(super) enum From {
    Nowhere,
    /// So many messages before the newest; negative: behind it.
    Newest {
        back: i64,
    },
    AnotherEpoch,
}

/// A command. Members are meant by their place in the list of all, rooms and names by their number.
#[derive(Debug, Clone, Copy)]
pub(super) enum Command {
    /// Comes to be told at once who is there.
    Enter {
        room: u8,
        name: u8,
        capacity: usize,
    },
    /// Comes to be told what changes.
    Join {
        room: u8,
        name: u8,
        reads: Reads,
        from: From,
        history: usize,
    },
    /// Asks for a seat and does not take it.
    Shy {
        room: u8,
        name: u8,
    },
    /// Many come at once, and read well.
    Crowd {
        room: u8,
        count: u8,
    },
    Leave {
        who: u8,
        told: bool,
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
    Park {
        who: u8,
    },
    Rejoin {
        who: u8,
        reads: Reads,
        from: From,
        history: usize,
    },
    Notice {
        room: u8,
    },
    /// From now on appends wait.
    Hold,
    /// Lets so many of the waiting appends in.
    Store {
        count: u8,
    },
    /// Fails so many of the waiting appends.
    Fail {
        count: u8,
    },
    /// Nothing is held any more.
    Release,
    /// The runtime gets a turn.
    Yield,
    /// Everything that can happen without the clock happens.
    Settle,
    /// The time for which changes are gathered goes by.
    Wait,
    /// Nobody is let in any more.
    Close,
}

/// Bytes that commands are read off.
pub(super) struct Commands<'a>(std::slice::Iter<'a, u8>);

impl<'a> Commands<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes.iter())
    }

    fn byte(&mut self) -> Option<u8> {
        self.0.next().copied()
    }

    fn reads(&mut self) -> Option<Reads> {
        Some(match self.byte()? {
            byte @ 0..64 => Reads::Events { capacity: usize::from(byte) + 1 },
            64..128 => Reads::Events { capacity: 100_000 },
            byte @ 128..192 => Reads::Frames { frames: usize::from(byte - 127), bytes: 8 << 20 },
            byte => Reads::Frames { frames: 65_536, bytes: usize::from(byte - 191) * 300 },
        })
    }

    fn from(&mut self) -> Option<From> {
        Some(match self.byte()? {
            0..96 => From::Nowhere,
            96..104 => From::AnotherEpoch,
            byte => From::Newest { back: i64::from(byte) - 108 },
        })
    }

    fn seq(&mut self) -> Option<u64> {
        self.byte().map(|byte| if byte == u8::MAX { u64::MAX } else { u64::from(byte) })
    }

    fn small(&mut self) -> Option<usize> {
        self.byte().map(usize::from)
    }
}

impl Iterator for Commands<'_> {
    type Item = Command;

    fn next(&mut self) -> Option<Command> {
        Some(match self.byte()? % 32 {
            0 | 1 => {
                Command::Enter { room: self.byte()?, name: self.byte()?, capacity: self.small()? * 8 + 1 }
            }
            2..5 => Command::Join {
                room: self.byte()?,
                name: self.byte()?,
                reads: self.reads()?,
                from: self.from()?,
                history: self.small()?,
            },
            5 => Command::Shy { room: self.byte()?, name: self.byte()? },
            6 => Command::Crowd { room: self.byte()?, count: self.byte()? % 64 },
            7 => Command::Leave { who: self.byte()?, told: false },
            8 => Command::Leave { who: self.byte()?, told: true },
            9..14 => {
                let (who, id) = (self.byte()?, self.byte()?);
                Command::Send { who, id: (id >= 64).then_some(id % 8), body: self.byte()? }
            }
            14 | 15 => Command::Read { who: self.byte()?, amount: self.small()? },
            16 => Command::Before { who: self.byte()?, seq: self.seq()?, limit: self.small()? },
            17 => Command::After { who: self.byte()?, seq: self.seq()?, limit: self.small()? },
            18 => {
                let (who, after, limit) = (self.byte()?, self.byte()?, self.small()?);
                Command::Members {
                    who,
                    after: (after >= 128).then_some(after),
                    prefix: after % 2 == 1,
                    limit,
                }
            }
            19 => Command::Typing { who: self.byte()? },
            20 => Command::Refuse { who: self.byte()? },
            21 => Command::Park { who: self.byte()? },
            22 => Command::Rejoin {
                who: self.byte()?,
                reads: self.reads()?,
                from: self.from()?,
                history: self.small()?,
            },
            23 => Command::Notice { room: self.byte()? },
            24 => Command::Hold,
            25 => Command::Store { count: self.byte()? },
            26 => Command::Fail { count: self.byte()? },
            27 => Command::Release,
            28 => Command::Yield,
            29 => Command::Settle,
            30 => Command::Wait,
            _ if self.byte()? == u8::MAX => Command::Close,
            _ => Command::Yield,
        })
    }
}
