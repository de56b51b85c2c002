//! What users say about themselves, and about their devices.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Why a text is not valid in a profile or as a label.
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

/// What a user shows to others beside the username.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Profile {
    /// What the user wants to be called.
    pub display_name: Option<DisplayName>,
    /// What the user says about themselves.
    pub about: Option<About>,
    /// The user's time zone.
    pub time_zone: Option<TimeZone>,
}

impl Profile {
    /// Makes the changes.
    pub fn apply(&mut self, change: ProfileChange) {
        let ProfileChange { display_name, about, time_zone } = change;
        if let Some(display_name) = display_name {
            self.display_name = display_name;
        }
        if let Some(about) = about {
            self.about = about;
        }
        if let Some(time_zone) = time_zone {
            self.time_zone = time_zone;
        }
    }
}

/// Changes to parts of a [`Profile`]. A part that is `None` stays as it is, `Some(None)` removes
/// it.
///
/// ```
/// use chat_accounts::{Profile, ProfileChange};
///
/// let mut profile = Profile::default();
/// profile.apply(ProfileChange::new().display_name(Some("Ana B.".parse()?)));
/// profile.apply(ProfileChange::new().time_zone(Some("Europe/Vienna".parse()?)));
/// profile.apply(ProfileChange::new().display_name(None));
/// assert_eq!(profile.display_name, None);
/// assert!(profile.time_zone.is_some());
/// # Ok::<(), chat_accounts::TextError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProfileChange {
    /// What the user wants to be called.
    pub display_name: Option<Option<DisplayName>>,
    /// What the user says about themselves.
    pub about: Option<Option<About>>,
    /// The user's time zone.
    pub time_zone: Option<Option<TimeZone>>,
}

impl ProfileChange {
    /// No changes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets or removes what the user wants to be called.
    #[must_use]
    pub fn display_name(self, display_name: Option<DisplayName>) -> Self {
        Self { display_name: Some(display_name), ..self }
    }

    /// Sets or removes what the user says about themselves.
    #[must_use]
    pub fn about(self, about: Option<About>) -> Self {
        Self { about: Some(about), ..self }
    }

    /// Sets or removes the user's time zone.
    #[must_use]
    pub fn time_zone(self, time_zone: Option<TimeZone>) -> Self {
        Self { time_zone: Some(time_zone), ..self }
    }
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
        assert_eq!("a".repeat(101).parse::<Label>(), Err(TextError::TooLong { max: 100 }));
        for empty in ["", " ", "\u{3000}"] {
            assert_eq!(empty.parse::<Label>(), Err(TextError::Empty), "{empty:?}");
        }
    }

    #[test]
    fn characters_that_change_the_page_are_refused() {
        for wrong in ["a\nb", "a\0", "a\u{7}", "a\u{2028}b", "a\u{202e}b", "\u{2066}a"] {
            assert_eq!(wrong.parse::<DisplayName>(), Err(TextError::Character), "{wrong:?}");
        }
        assert!("two\nlines".parse::<About>().is_ok());
        assert_eq!("a\rb".parse::<About>(), Err(TextError::Character));
        assert!("Etc/GMT+2".parse::<TimeZone>().is_ok());
        for wrong in ["Europe Vienna", "Wien/Österreich", "<b>"] {
            assert_eq!(wrong.parse::<TimeZone>(), Err(TextError::Character), "{wrong}");
        }
    }
}
