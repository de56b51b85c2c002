//! Days of UTC.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use chat_protocol::Timestamp;

const MILLISECONDS: i64 = 24 * 60 * 60 * 1_000;
const SECONDS: u64 = 24 * 60 * 60;

/// A day of UTC, written as `2026-11-28`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Day(pub(crate) i64);

/// It is no day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a valid day; write it like 2026-11-28")]
pub struct NoDay(String);

impl Day {
    /// The first that there can be, and the last.
    pub const FIRST: Self = Self(0);
    /// 9999-12-31.
    pub const LAST: Self = Self(2_932_896);

    /// The day in which this is.
    pub fn of(time: Timestamp) -> Self {
        Self(time.0.div_euclid(MILLISECONDS)).clamp(Self::FIRST, Self::LAST)
    }

    /// So many days before.
    pub fn before(self, days: u32) -> Self {
        Self(self.0 - i64::from(days)).max(Self::FIRST)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = Duration::from_secs(u64::try_from(self.0).unwrap_or_default() * SECONDS);
        let time = humantime::format_rfc3339_seconds(SystemTime::UNIX_EPOCH + since).to_string();
        f.write_str(time.split('T').next().unwrap_or_default())
    }
}

impl FromStr for Day {
    type Err = NoDay;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let no_day = || NoDay(text.chars().take(20).collect());
        let time = humantime::parse_rfc3339(&format!("{text}T00:00:00Z")).map_err(|_| no_day())?;
        let since = time.duration_since(SystemTime::UNIX_EPOCH).map_err(|_| no_day())?;
        Ok(Self(i64::try_from(since.as_secs() / SECONDS).map_err(|_| no_day())?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_written_as_it_is_read() {
        for (text, number) in
            [("1970-01-01", 0), ("2000-02-29", 11_016), ("2026-11-28", 20_785), ("9999-12-31", 2_932_896)]
        {
            assert_eq!(text.parse(), Ok(Day(number)));
            assert_eq!(Day(number).to_string(), text);
        }
        for none in
            ["", "2026-11", "2026-13-01", "2026-02-30", "1969-12-31", "2026-11-28T00:00:00Z", "tomorrow"]
        {
            assert_eq!(none.parse::<Day>(), Err(NoDay(none.to_owned())));
        }
    }

    #[test]
    fn midnight_begins_a_day() {
        assert_eq!(Day::of(Timestamp(MILLISECONDS - 1)), Day(0));
        assert_eq!(Day::of(Timestamp(MILLISECONDS)), Day(1));
        assert_eq!(Day::of(Timestamp(-1)), Day::FIRST);
        assert_eq!(Day(10).before(3), Day(7));
        assert_eq!(Day(1).before(3), Day::FIRST);
    }
}
