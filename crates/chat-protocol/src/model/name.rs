//! Names of rooms and users: which texts are valid names, and when two spellings are the same name.

use std::fmt;
use std::sync::{Arc, LazyLock};

use regex::Regex;
use unicode_normalization::UnicodeNormalization;

/// The name that the server sends messages as. No client can take it: names cannot contain `*`.
pub const SERVER_NAME: &str = "*chatd*";

/// Letters, marks (not first), numbers, `_` and `-`; no invisible characters.
/// The properties are those of Unicode's `UnicodeData.txt` and `DerivedCoreProperties.txt`.
static SHAPE: LazyLock<Result<Regex, regex::Error>> = LazyLock::new(|| {
    Regex::new(
        r"(?x) \A
          [[\p{L}\p{N}_-]--\p{Default_Ignorable_Code_Point}]
          [[\p{L}\p{M}\p{N}_-]--\p{Default_Ignorable_Code_Point}]* \z",
    )
});

/// Canonical composition makes one code point out of at most four. A text with more than this many
/// code points for each allowed one is too long, and is rejected before it is normalised.
const LONGEST_DECOMPOSITION: usize = 4;

/// Begins the address of a private room.
const ADDRESS_PREFIX: char = '~';

/// The digits of an address: those of RFC 4648's base32, in lower case.
const ADDRESS_ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// How many digits an address has: with 5 bits each, enough for 128 bits.
const ADDRESS_DIGITS: usize = 26;

/// Why a text is not a valid name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The text is empty.
    #[error("a name must not be empty")]
    Empty,
    /// The name has too many code points, counted after NFC.
    #[error("a name must not be longer than {max} characters")]
    TooLong {
        /// The maximum number of code points.
        max: usize,
    },
    /// The name begins with a mark, or contains an invisible character or one other than a letter,
    /// a mark, a number, `_` or `-`.
    #[error("a name may contain only letters, numbers, '_' and '-'")]
    Character,
    /// The name begins with `~`, and is not the address of a private room.
    #[error("a name that begins with '~' must be an address: '~' and 26 characters of a-z and 2-7")]
    Address,
}

/// Checks a name and returns its NFC form, in which names are compared and shown.
fn parse(text: &str, max: usize) -> Result<Arc<str>, NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    // fast path: every command contains a room name, and most names are ASCII
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if text.len() <= max && text.bytes().all(is_plain) {
        return Ok(text.into());
    }
    if text.chars().nth(max * LONGEST_DECOMPOSITION).is_some() {
        return Err(NameError::TooLong { max });
    }
    let name: String = text.nfc().collect();
    if name.chars().nth(max).is_some() {
        return Err(NameError::TooLong { max });
    }
    match &*SHAPE {
        Ok(shape) if shape.is_match(&name) => Ok(name.into()),
        _ => Err(NameError::Character),
    }
}

/// Checks the name of a room, which may be a private address.
fn parse_room(text: &str, max: usize) -> Result<Arc<str>, NameError> {
    let Some(random) = text.strip_prefix(ADDRESS_PREFIX) else { return parse(text, max) };
    let is_address =
        random.len() == ADDRESS_DIGITS && random.bytes().all(|byte| ADDRESS_ALPHABET.contains(&byte));
    if is_address { Ok(text.into()) } else { Err(NameError::Address) }
}

/// Converts letters to lower case, each by itself, so that the beginning of a text is folded in the
/// same way as the whole text.
pub fn fold(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $max:literal, $parse:path, $schema:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The maximum number of code points, counted after NFC.
            pub const MAX: usize = $max;

            /// Parses a name in any spelling and keeps its NFC form, so that two spellings of a
            /// name are equal. Names are case-sensitive. The caller decodes percent-encoding first.
            ///
            /// # Errors
            /// A [`NameError`] if the text is not a valid name.
            pub fn parse(text: &str) -> Result<Self, NameError> {
                $parse(text, Self::MAX).map(Self)
            }

            /// The name, in NFC.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The name with all letters in lower case: names that differ only in case are equal
            /// then.
            pub fn folded(&self) -> String {
                fold(&self.0)
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

        /// Names compare and hash like their text.
        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::parse(text)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
            }
        }

        #[cfg(feature = "schema")]
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "type": "string",
                    "description": $schema,
                    "minLength": 1,
                    "maxLength": $max
                })
            }
        }
    };
}

name! {
    /// The name of a room, 1 to 64 code points, or the [address](Self::is_address) of a private
    /// room.
    RoomName, 64, parse_room,
    "letters, marks (not first), numbers, _ and -; counted and compared after NFC. Or the address of a private room: ~ and 26 characters of a-z and 2-7"
}

name! {
    /// The name of a user, unique in a room: 1 to 50 code points.
    Username, 50, parse,
    "letters, marks (not first), numbers, _ and -; counted and compared after NFC"
}

impl RoomName {
    /// The address of a new private room, made of 128 random bits.
    ///
    /// ```
    /// use chat_protocol::RoomName;
    ///
    /// let address = RoomName::address_from_random(7);
    /// assert_eq!(address.as_str(), "~aaaaaaaaaaaaaaaaaaaaaaaaah");
    /// assert!(address.is_address());
    /// ```
    pub fn address_from_random(random: u128) -> Self {
        let digits = (0..ADDRESS_DIGITS).rev().map(|digit| {
            // 5 bits are always an index of the 32 digits
            let index = (random >> (5 * digit)) & 31;
            char::from(ADDRESS_ALPHABET[usize::try_from(index).unwrap_or_default()])
        });
        Self(std::iter::once(ADDRESS_PREFIX).chain(digits).collect::<String>().into())
    }

    /// Whether this is the address of a private or direct room: `~` and 26 characters of `a-z` and
    /// `2-7`. A user without a role in such a room does not learn whether it exists.
    pub fn is_address(&self) -> bool {
        self.0.starts_with(ADDRESS_PREFIX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn accepts_names_in_many_scripts() {
        for name in ["ana", "_", "-", "Ana_1-b", "josé", "世界", "नमस्ते", "٣", "½", "ß", "_\u{301}"]
        {
            assert_eq!(
                Username::parse(name).map(|n| n.as_str().to_owned()),
                Ok(name.nfc().collect()),
                "{name:?}"
            );
        }
    }

    #[test]
    fn rejects_invalid_names() {
        let invisible = [
            "\u{200b}ana",
            "a\u{200d}na",
            "ana\u{202e}",
            "\u{feff}ana",
            "a\u{ad}na",
            "\u{3164}",
            "a\u{e0061}",
        ];
        let visible = ["a b", "a/b", "..", "a.b", "a\0", "*chatd*", "\u{301}ana", "😀", "a\n", "a'b", "<a>"];
        for name in invisible.into_iter().chain(visible) {
            assert_eq!(Username::parse(name), Err(NameError::Character), "{name:?}");
        }
        assert_eq!(Username::parse(""), Err(NameError::Empty));
        assert_eq!(Username::parse(SERVER_NAME), Err(NameError::Character));
    }

    #[test]
    fn a_room_has_a_name_or_an_address() {
        for random in [0, 1, u128::MAX] {
            let address = RoomName::address_from_random(random);
            assert_eq!((address.as_str().len(), address.is_address()), (27, true));
            assert_eq!(RoomName::parse(address.as_str()), Ok(address));
        }
        let digits = "abcdefghijklmnopqrstuvwxyz";
        assert!(RoomName::parse(&format!("~{digits}")).is_ok());
        assert!(!RoomName::parse(digits).unwrap().is_address());
        let wrong =
            ["", "a", &digits[1..], &format!("{digits}a"), &digits.to_uppercase(), &digits.replace('a', "1")];
        for wrong in wrong {
            assert_eq!(RoomName::parse(&format!("~{wrong}")), Err(NameError::Address), "{wrong:?}");
        }
        assert_eq!(RoomName::parse(&format!("~{}", digits.replace("ab", "é"))), Err(NameError::Address));
        assert_eq!(RoomName::parse("a~"), Err(NameError::Character));
        assert_eq!(Username::parse(&format!("~{digits}")), Err(NameError::Character));
    }

    #[test]
    fn counts_code_points_after_nfc() {
        let composed = "é".repeat(50);
        let decomposed = "e\u{301}".repeat(50);
        assert_eq!(Username::parse(&decomposed).unwrap().as_str(), composed);
        assert_eq!(Username::parse(&decomposed), Username::parse(&composed));
        assert_eq!(Username::parse(&"a".repeat(51)), Err(NameError::TooLong { max: 50 }));
        assert!(RoomName::parse(&"a".repeat(64)).is_ok());
        assert_eq!(RoomName::parse(&"é".repeat(65)), Err(NameError::TooLong { max: 64 }));
    }

    #[test]
    fn ten_megabytes_are_rejected_by_length() {
        assert_eq!(RoomName::parse(&"\u{301}".repeat(5_000_000)), Err(NameError::TooLong { max: 64 }));
    }

    #[test]
    fn names_are_case_sensitive() {
        assert_ne!(RoomName::parse("Lobby"), RoomName::parse("lobby"));
    }

    proptest! {
        #[test]
        fn parsing_a_name_in_any_normal_form_returns_the_same_name(text in "\\PC{0,70}") {
            if let Ok(name) = RoomName::parse(&text) {
                prop_assert_eq!(RoomName::parse(name.as_str()), Ok(name.clone()));
                prop_assert_eq!(RoomName::parse(&name.as_str().nfd().collect::<String>()), Ok(name));
            }
        }
    }
}
