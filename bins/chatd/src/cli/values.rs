//! The values of options. Each error says what was expected; the caller adds the option and the
//! value that was found.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chat_server::{NewUserLimits, Registration, RoomCreation};
use clap::ValueEnum;

/// How trusted proxies send the address of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ClientAddressHeader {
    #[value(name = "x-forwarded-for")]
    ForwardedFor,
    ProxyProtocol,
}

/// A host and a port to listen on. The host may be a name, which is resolved when the address is
/// used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address(String);

impl Address {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Address {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "expected HOST:PORT, such as 0.0.0.0:8000 or [::]:8000";
        let (host, port) = text.rsplit_once(':').ok_or(EXPECTED)?;
        if !port.bytes().all(|byte| byte.is_ascii_digit()) || port.is_empty() {
            return Err(EXPECTED);
        }
        if port.parse::<u16>().is_err() {
            return Err("expected a port from 0 to 65535 after the colon");
        }
        let is_host = match host.strip_prefix('[') {
            Some(rest) => rest.strip_suffix(']').is_some_and(|ip| ip.parse::<std::net::Ipv6Addr>().is_ok()),
            None => !host.is_empty() && !host.contains([':', '/', ']', ' ', '@']),
        };
        is_host.then(|| Self(text.to_owned())).ok_or(EXPECTED)
    }
}

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Switch {
    On,
    Off,
}

impl FromStr for Switch {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "on" => Ok(Self::On),
            "off" => Ok(Self::Off),
            _ => Err("expected on or off"),
        }
    }
}

/// Who may register an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RegistrationMode(pub(crate) Registration);

impl FromStr for RegistrationMode {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let all = [Registration::Open, Registration::Invite, Registration::Closed];
        let found = all.into_iter().find(|registration| registration.name() == text);
        found.map(Self).ok_or("expected open, invite or closed")
    }
}

/// Who may create rooms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CreationMode(pub(crate) RoomCreation);

impl FromStr for CreationMode {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let all = [RoomCreation::Everyone, RoomCreation::Accounts, RoomCreation::Moderators];
        let found = all.into_iter().find(|creation| creation.name() == text);
        found.map(Self).ok_or("expected everyone, accounts or moderators")
    }
}

/// Limits for new users: for how long an account is new, and how many messages a minute it may
/// send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NewAccountLimits(pub(crate) NewUserLimits);

impl FromStr for NewAccountLimits {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "expected a time and a number of messages, such as 24h:10, or off";
        let (age, messages) = text.split_once(':').ok_or(EXPECTED)?;
        let age = duration(age).map_err(|_| EXPECTED)?;
        let messages_per_minute = messages.parse().map_err(|_| EXPECTED)?;
        if messages_per_minute == 0 {
            return Err("expected at least one message a minute");
        }
        Ok(Self(NewUserLimits { age, messages_per_minute }))
    }
}

/// A value, or `off`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OrOff<T>(pub(crate) Option<T>);

impl<T: FromStr> FromStr for OrOff<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "off" => Ok(Self(None)),
            value => value.parse().map(Some).map(Self),
        }
    }
}

/// The age at which data is removed, at least one second. 0 is rejected: it would remove everything
/// at once, while for other options 0 means no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Age(pub(crate) Duration);

impl FromStr for Age {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match duration(text) {
            Ok(age) if age < Duration::from_secs(1) => Err("expected at least 1s; off keeps everything"),
            Ok(age) => Ok(Self(age)),
            Err(_) => Err("expected an age such as 12h or 30days, or off to keep everything"),
        }
    }
}

/// The number of items that are kept, at least one. 0 is rejected for the same reason as in
/// [`Age`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Count(pub(crate) u64);

impl FromStr for Count {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            Ok(0) => Err("expected at least 1; off keeps everything"),
            Ok(count) => Ok(Self(count)),
            Err(_) => Err("expected a whole number, or off to keep everything"),
        }
    }
}

/// Parses a duration.
pub(crate) fn duration(text: &str) -> Result<Duration, &'static str> {
    humantime::parse_duration(text).map_err(|_| "expected a time such as 10s or 2min")
}

/// The maximum memory of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MemoryLimit {
    /// The limit of the control group of the process.
    Auto,
    /// No limit.
    Off,
    /// This number of bytes.
    Bytes(u64),
}

impl FromStr for MemoryLimit {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self::Auto),
            "off" => Ok(Self::Off),
            bytes => match bytes.parse() {
                Ok(bytes) if bytes > 0 => Ok(Self::Bytes(bytes)),
                _ => Err("expected auto, off, or a number of bytes"),
            },
        }
    }
}

/// A fraction from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Fraction(pub(crate) f64);

impl FromStr for Fraction {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fraction = text.parse().ok().filter(|fraction| (0.0..=1.0).contains(fraction));
        fraction.map(Self).ok_or("expected a number from 0 to 1")
    }
}

/// Parses a whole number that is at least `MIN`.
pub(crate) fn at_least<T: FromStr + TryInto<u64> + Copy, const MIN: u64>(text: &str) -> Result<T, String> {
    let number = text.parse().ok().filter(|number: &T| {
        let value: Result<u64, _> = (*number).try_into();
        value.is_ok_and(|value| value >= MIN)
    });
    number.ok_or_else(|| format!("expected a whole number, at least {MIN}"))
}

/// Parses a limit: a number, or `off`, which is the same as 0 and means no limit.
pub(crate) fn limit_or_off<T: FromStr + Default>(text: &str) -> Result<T, &'static str> {
    match text {
        "off" => Ok(T::default()),
        number => number.parse().map_err(|_| "expected a whole number, or off for no limit"),
    }
}

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    Text,
    Json,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_a_host_and_a_port() {
        for good in ["127.0.0.1:0", "localhost:8000", "[::1]:65535", "chat.example.org:80", "[::]:1"] {
            assert!(good.parse::<Address>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "8000",
            ":8000",
            "localhost",
            "localhost:",
            "0.0.0.0:99999",
            "::1:8000",
            "[::1:80",
            "[x]:1",
            "http://127.0.0.1:80",
            "a:+1",
            "a:-1",
            "a b:1",
        ] {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
    }

    #[test]
    fn zero_is_not_a_valid_age_or_count() {
        for zero in ["0s", "0", "999ms", "0days", "-1s", ""] {
            assert!(zero.parse::<OrOff<Age>>().is_err(), "{zero}");
        }
        assert_eq!("2s".parse(), Ok(OrOff(Some(Age(Duration::from_secs(2))))));
        assert_eq!("off".parse(), Ok(OrOff::<Age>(None)));
        for zero in ["0", "00", "-1", ""] {
            assert!(zero.parse::<OrOff<Count>>().is_err(), "{zero}");
        }
        assert_eq!("1".parse(), Ok(OrOff(Some(Count(1)))));
    }

    #[test]
    fn no_limit_is_written_as_0_or_as_off() {
        assert_eq!(
            (limit_or_off::<u32>("off"), limit_or_off::<u32>("0"), limit_or_off::<u32>("7")),
            (Ok(0), Ok(0), Ok(7))
        );
        assert!(limit_or_off::<u32>("-1").is_err() && limit_or_off::<u32>("many").is_err());
        assert_eq!(at_least::<u32, 1>("1"), Ok(1));
        assert!(at_least::<u32, 1>("0").is_err() && at_least::<u32, 0>("4294967296").is_err());
    }
}
