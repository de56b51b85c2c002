//! The name of a node.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The name of a node of the cluster: 1 to 64 characters of `A-Za-z0-9-_`.
///
/// ```
/// use chat_backplane::{NodeName, NodeNameError};
///
/// let node = NodeName::parse("chat-1")?;
/// assert_eq!(node.as_str(), "chat-1");
/// assert_eq!(NodeName::parse("chat.1"), Err(NodeNameError::Character));
/// # Ok::<(), NodeNameError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeName(Arc<str>);

/// Why a text is not the name of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NodeNameError {
    /// The text is empty.
    #[error("the name of a node must not be empty")]
    Empty,
    /// The text has more than [`NodeName::MAX`] characters.
    #[error("the name of a node must not be longer than {} characters", NodeName::MAX)]
    TooLong,
    /// The text has another character than a letter or digit of ASCII, `-` or `_`.
    #[error("the name of a node may contain only the characters A-Z, a-z, 0-9, \"-\" and \"_\"")]
    Character,
}

impl NodeName {
    /// The maximum number of characters.
    pub const MAX: usize = 64;

    /// Parses a name.
    ///
    /// # Errors
    /// A [`NodeNameError`] if the text is not the name of a node.
    pub fn parse(text: &str) -> Result<Self, NodeNameError> {
        if text.is_empty() {
            return Err(NodeNameError::Empty);
        }
        if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) {
            return Err(NodeNameError::Character);
        }
        if text.len() > Self::MAX {
            return Err(NodeNameError::TooLong);
        }
        Ok(Self(text.into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl FromStr for NodeName {
    type Err = NodeNameError;

    fn from_str(text: &str) -> Result<Self, NodeNameError> {
        Self::parse(text)
    }
}

impl Serialize for NodeName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for NodeName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_letters_digits_and_hyphens() {
        let longest = "n".repeat(NodeName::MAX);
        for name in ["a", "chat-1", "Chat_01", "-", &longest] {
            assert_eq!(NodeName::parse(name).unwrap().to_string(), name);
        }
        assert_eq!(NodeName::parse(""), Err(NodeNameError::Empty));
        assert_eq!(NodeName::parse(&"n".repeat(NodeName::MAX + 1)), Err(NodeNameError::TooLong));
        for name in ["a.b", "a b", "*", ">", "é", "a\n"] {
            assert_eq!(NodeName::parse(name), Err(NodeNameError::Character), "{name:?}");
        }
    }

    #[test]
    fn json_has_the_name_as_a_string() {
        let node = NodeName::parse("chat-1").unwrap();
        let json = serde_json::to_string(&node).unwrap();
        assert_eq!(json, "\"chat-1\"");
        assert_eq!(serde_json::from_str::<NodeName>(&json).unwrap(), node);
        assert!(serde_json::from_str::<NodeName>("\"chat.1\"").is_err());
    }
}
