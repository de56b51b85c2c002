//! What options can be.

use std::path::PathBuf;
use std::str::FromStr;

use clap::ValueEnum;

/// How proxies say who it is that they speak for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum HeaderOfProxies {
    #[value(name = "x-forwarded-for")]
    ForwardedFor,
    ProxyProtocol,
}

/// Where the server keeps what it has to remember.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Database {
    /// In the memory of the process.
    Memory,
    /// In a file.
    File(PathBuf),
}

impl FromStr for Database {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            ":memory:" => Ok(Self::Memory),
            // to SQLite it would be a temporary database, another one for each connection
            "" => Err("a path, or :memory:"),
            path => Ok(Self::File(path.into())),
        }
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
            _ => Err("on or off"),
        }
    }
}

/// A bound, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bound<T>(pub(crate) Option<T>);

impl<T: FromStr> FromStr for Bound<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "off" => Ok(Self(None)),
            bound => bound.parse().map(Some).map(Self),
        }
    }
}

/// How much memory the process should keep within.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MemoryLimit {
    /// As much as its control group has.
    Auto,
    /// Any.
    Off,
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
                _ => Err("auto, off, or a number of bytes"),
            },
        }
    }
}

/// A part of a whole.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Part(pub(crate) f64);

impl FromStr for Part {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let part = text.parse().ok().filter(|part| (0.0..=1.0).contains(part));
        part.map(Self).ok_or("a number from 0 to 1")
    }
}

/// A number that is not smaller than makes sense.
pub(crate) fn at_least<T: FromStr<Err = std::num::ParseIntError> + TryInto<u64> + Copy, const LEAST: u64>(
    text: &str,
) -> Result<T, String> {
    let number: T = text.parse().map_err(|error: std::num::ParseIntError| error.to_string())?;
    match number.try_into() {
        Ok(value) if value < LEAST => Err(format!("at least {LEAST}")),
        _ => Ok(number),
    }
}
