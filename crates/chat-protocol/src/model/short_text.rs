//! Short texts that users write for other users, apart from messages.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Why a text is not valid as a short text, such as a [`DisplayName`] or a [`Reason`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// There is nothing to see in the text.
    #[error("it must not be empty")]
    Empty,
    /// The text has too many characters.
    #[error("it must not be longer than {max} characters")]
    TooLong {
        /// The maximum number of characters.
        max: usize,
    },
    /// The text has a character that is not allowed.
    #[error("it contains a character that is not allowed")]
    Character,
}

/// Checks a text that may have `max` characters.
fn parse(text: &str, max: usize, is_allowed: impl Fn(char) -> bool) -> Result<Arc<str>, TextError> {
    if text.chars().nth(max).is_some() {
        return Err(TextError::TooLong { max });
    }
    if !text.chars().all(is_allowed) {
        return Err(TextError::Character);
    }
    if text.trim().is_empty() {
        return Err(TextError::Empty);
    }
    Ok(text.into())
}

/// Whether a character may be in a text of one line.
fn is_in_line(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}') && !is_direction(c)
}

/// Whether a character changes the direction of the text around it, so that what follows on the
/// page would be shown in another order.
fn is_direction(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $max:literal, $is_allowed:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The maximum number of characters.
            pub const MAX: usize = $max;

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = TextError;

            fn from_str(text: &str) -> Result<Self, TextError> {
                parse(text, Self::MAX, $is_allowed).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }

        #[cfg(feature = "schema")]
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "minLength": 1, "maxLength": $max })
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

text! {
    /// What a user wants to be called: one line of 1 to 50 characters. It is not unique; only the
    /// username says who a user is.
    DisplayName, 50, is_in_line
}

text! {
    /// What a user says about themselves: 1 to 500 characters, in several lines if they like.
    About, 500, |c| is_in_line(c) || c == '\n'
}

text! {
    /// The name of a time zone, such as `Europe/Vienna`: 1 to 50 characters of `A-Za-z0-9_+-/`.
    /// Whether there is such a time zone is not checked.
    TimeZone, 50, |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '+' | '-' | '/')
}

text! {
    /// What a user calls a device or an API token: one line of 1 to 100 characters.
    Label, 100, is_in_line
}

text! {
    /// The name of a site: one line of 1 to 50 characters.
    SiteName, 50, is_in_line
}

text! {
    /// The text in Markdown with which a site welcomes users: 1 to 2,000 characters.
    WelcomeText, 2_000, |c| is_in_line(c) || matches!(c, '\n' | '\t')
}

text! {
    /// Why a moderator did something: 1 to 300 characters, in several lines if they like.
    Reason, 300, |c| is_in_line(c) || c == '\n'
}

text! {
    /// What a room is called: one line of 1 to 80 characters. It is not unique.
    RoomTitle, 80, is_in_line
}

text! {
    /// What a room is about, in Markdown: 1 to 500 characters, in several lines if they like.
    Topic, 500, |c| is_in_line(c) || c == '\n'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_limits() {
        assert_eq!("é".repeat(50).parse::<DisplayName>().map(|name| name.as_str().len()), Ok(100));
        assert_eq!("é".repeat(51).parse::<DisplayName>(), Err(TextError::TooLong { max: 50 }));
        assert!("a".repeat(500).parse::<About>().is_ok());
        assert_eq!("a".repeat(501).parse::<About>(), Err(TextError::TooLong { max: 500 }));
        assert_eq!("a".repeat(51).parse::<TimeZone>(), Err(TextError::TooLong { max: 50 }));
        assert_eq!("a".repeat(301).parse::<Reason>(), Err(TextError::TooLong { max: 300 }));
        assert_eq!("a".repeat(101).parse::<Label>(), Err(TextError::TooLong { max: 100 }));
        assert_eq!("a".repeat(81).parse::<RoomTitle>(), Err(TextError::TooLong { max: 80 }));
        assert_eq!("a".repeat(501).parse::<Topic>(), Err(TextError::TooLong { max: 500 }));
        assert_eq!("a".repeat(51).parse::<SiteName>(), Err(TextError::TooLong { max: 50 }));
        assert!("ä".repeat(2_000).parse::<WelcomeText>().is_ok());
        assert_eq!("a".repeat(2_001).parse::<WelcomeText>(), Err(TextError::TooLong { max: 2_000 }));
        for empty in ["", " ", "\u{3000}"] {
            assert_eq!(empty.parse::<Label>(), Err(TextError::Empty), "{empty:?}");
        }
    }

    #[test]
    fn characters_that_change_the_page_are_refused() {
        for wrong in ["a\nb", "a\0", "a\u{7}", "a\u{2028}b", "a\u{202e}b", "\u{2066}a"] {
            assert_eq!(wrong.parse::<DisplayName>(), Err(TextError::Character), "{wrong:?}");
        }
        assert!("two\nlines".parse::<About>().is_ok() && "two\nlines".parse::<Reason>().is_ok());
        assert!("# two\n\tlines".parse::<WelcomeText>().is_ok());
        assert_eq!("two\nlines".parse::<SiteName>(), Err(TextError::Character));
        assert_eq!("a\rb".parse::<About>(), Err(TextError::Character));
        assert!("Etc/GMT+2".parse::<TimeZone>().is_ok());
        for wrong in ["Europe Vienna", "Wien/Österreich", "<b>"] {
            assert_eq!(wrong.parse::<TimeZone>(), Err(TextError::Character), "{wrong}");
        }
    }
}
