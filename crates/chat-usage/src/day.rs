//! Days in UTC.

use std::fmt;
use std::str::FromStr;

use chat_protocol::Timestamp;
use time::format_description::well_known::Iso8601;
use time::{Date, Duration, Month, OffsetDateTime};

/// A day in UTC, from 1970-01-01 to 9999-12-31. It is written as `2026-11-28`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Day(Date);

/// The error of parsing a text that is not a valid [`Day`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a valid day; write it like 2026-11-28")]
pub struct ParseDayError(String);

impl Day {
    /// 1970-01-01.
    pub const FIRST: Self = Self(OffsetDateTime::UNIX_EPOCH.date());

    /// 9999-12-31.
    pub const LAST: Self = match Date::from_calendar_date(9999, Month::December, 31) {
        Ok(date) => Self(date),
        Err(_) => Self::FIRST,
    };

    /// The day of a time. A time before [`FIRST`](Self::FIRST) or after [`LAST`](Self::LAST) gives
    /// that day.
    pub fn of(time: Timestamp) -> Self {
        let seconds = time.as_millis().div_euclid(1_000);
        match OffsetDateTime::from_unix_timestamp(seconds) {
            Ok(time) => Self(time.date()).clamp(Self::FIRST, Self::LAST),
            Err(_) if seconds < 0 => Self::FIRST,
            Err(_) => Self::LAST,
        }
    }

    /// The day this many days earlier, or [`FIRST`](Self::FIRST).
    pub fn before(self, days: u32) -> Self {
        Self(self.0.saturating_sub(Duration::days(days.into()))).max(Self::FIRST)
    }

    /// The number of days since [`FIRST`](Self::FIRST).
    pub fn number(self) -> i64 {
        i64::from(self.0.to_julian_day() - Self::FIRST.0.to_julian_day())
    }

    /// The day with this [`number`](Self::number). A number out of range gives the nearest day.
    pub fn from_number(number: i64) -> Self {
        let number = number.clamp(0, Self::LAST.number());
        let date = i32::try_from(number)
            .ok()
            .and_then(|number| Date::from_julian_day(Self::FIRST.0.to_julian_day() + number).ok());
        date.map_or(Self::LAST, Self)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Day {
    type Err = ParseDayError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let day = Date::parse(text, &Iso8601::DATE).ok().map(Self);
        // ISO 8601 has other notations, too
        day.filter(|day| *day >= Self::FIRST && day.to_string() == text)
            .ok_or_else(|| ParseDayError(text.chars().take(20).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECONDS: i64 = 24 * 60 * 60 * 1_000;

    #[test]
    fn a_day_is_written_as_it_is_read() {
        for (text, number) in
            [("1970-01-01", 0), ("2000-02-29", 11_016), ("2026-11-28", 20_785), ("9999-12-31", 2_932_896)]
        {
            assert_eq!(text.parse(), Ok(Day::from_number(number)));
            assert_eq!(Day::from_number(number).to_string(), text);
            assert_eq!(Day::from_number(number).number(), number);
        }
        for invalid in [
            "",
            "2026-11",
            "2026-13-01",
            "2026-02-30",
            "1969-12-31",
            "2026-11-28T00:00:00Z",
            "tomorrow",
            "20261128",
            "2026-332",
            "2026-W48-6",
            "+2026-11-28",
            "10000-01-01",
        ] {
            assert_eq!(invalid.parse::<Day>(), Err(ParseDayError(invalid.to_owned())));
        }
    }

    #[test]
    fn a_day_begins_at_midnight() {
        assert_eq!(Day::of(Timestamp::from_millis(MILLISECONDS - 1)), Day::from_number(0));
        assert_eq!(Day::of(Timestamp::from_millis(MILLISECONDS)), Day::from_number(1));
        assert_eq!(Day::of(Timestamp::from_millis(-1)), Day::FIRST);
        assert_eq!(Day::from_number(10).before(3), Day::from_number(7));
        assert_eq!(Day::from_number(1).before(3), Day::FIRST);
    }

    #[test]
    fn days_out_of_range_are_the_first_or_the_last() {
        assert_eq!(Day::of(Timestamp::from_millis(i64::MIN)), Day::FIRST);
        assert_eq!(Day::of(Timestamp::from_millis(i64::MAX)), Day::LAST);
        assert_eq!(Day::from_number(i64::MIN), Day::FIRST);
        assert_eq!(Day::from_number(i64::MAX), Day::LAST);
        assert_eq!(Day::LAST.before(u32::MAX), Day::FIRST);
        assert_eq!(Day::LAST.to_string(), "9999-12-31");
    }
}
