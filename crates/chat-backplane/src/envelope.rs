//! The form of a message between nodes.

use std::sync::Arc;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::NodeName;

/// The version of the envelope that this crate writes, and the newest one that it reads.
pub const VERSION: u16 = 1;

/// The maximum size of a message in bytes: NATS' default limit of 1 MiB, less 16 KiB.
pub const MAX_MESSAGE: usize = (1 << 20) - (16 << 10);

/// A message between nodes: who sends it, of which kind it is, and a body of JSON that only the
/// reader of this kind understands.
///
/// Nodes of different versions may run side by side. So a reader ignores fields of the envelope
/// that it does not know, and skips messages of a kind that it does not know. A change that older
/// nodes would misread raises [`VERSION`].
///
/// ```
/// use chat_backplane::{Envelope, NodeName};
///
/// let sent = Envelope::new(NodeName::parse("chat-1")?, "i_7".into(), "typing", &["ana"])?;
/// let received = Envelope::decode(&sent.encode()?)?;
/// match &*received.kind {
///     "typing" => assert_eq!(received.body::<Vec<String>>()?, ["ana"]),
///     // of a newer version
///     _ => {}
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Envelope {
    /// The version of the envelope: `v`.
    #[serde(rename = "v")]
    pub version: u16,
    /// The node that sends the message.
    pub from: NodeName,
    /// The incarnation of that node: each start of it has another one.
    #[serde(rename = "inc")]
    pub incarnation: Arc<str>,
    /// The kind of the message.
    pub kind: Arc<str>,
    /// The body as JSON text.
    pub body: Box<RawValue>,
}

/// Why a message cannot be encoded or decoded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// The message has more than [`MAX_MESSAGE`] bytes.
    #[error("a message of {size} bytes is too large for the backplane (maximum: {MAX_MESSAGE})")]
    TooLarge {
        /// The size in bytes.
        size: usize,
    },
    /// A newer node has sent the message, in a form that this version cannot read.
    #[error("the message has version {version} of the envelope, and this node reads up to {VERSION}")]
    Newer {
        /// The version of the message.
        version: u16,
    },
    /// The message is not an envelope, or its body cannot be written as JSON.
    #[error("the message is not a valid envelope: {0}")]
    Malformed(#[from] serde_json::Error),
}

/// What every version of the envelope has.
#[derive(Deserialize)]
struct AnyVersion {
    v: u16,
}

impl Envelope {
    /// A message of this kind, with a body that is written as JSON.
    ///
    /// # Errors
    /// [`EnvelopeError::Malformed`] if the body cannot be written as JSON.
    pub fn new(
        from: NodeName,
        incarnation: Arc<str>,
        kind: impl Into<Arc<str>>,
        body: &(impl Serialize + ?Sized),
    ) -> Result<Self, EnvelopeError> {
        let body = serde_json::value::to_raw_value(body)?;
        Ok(Self { version: VERSION, from, incarnation, kind: kind.into(), body })
    }

    /// The message as JSON text.
    ///
    /// # Errors
    /// [`EnvelopeError::TooLarge`] if it has more than [`MAX_MESSAGE`] bytes.
    pub fn encode(&self) -> Result<Bytes, EnvelopeError> {
        let bytes = serde_json::to_vec(self)?;
        if bytes.len() > MAX_MESSAGE {
            return Err(EnvelopeError::TooLarge { size: bytes.len() });
        }
        Ok(bytes.into())
    }

    /// Reads a message. The kind may be any: the caller skips a kind that it does not know.
    ///
    /// # Errors
    /// [`EnvelopeError::Newer`] if the version is newer than [`VERSION`],
    /// [`EnvelopeError::Malformed`] if the message is not an envelope.
    pub fn decode(message: &[u8]) -> Result<Self, EnvelopeError> {
        let read = serde_json::from_slice(message);
        let version = match &read {
            Ok(Self { version, .. }) => *version,
            // another version may have other fields
            Err(_) => serde_json::from_slice::<AnyVersion>(message).map_or(0, |any| any.v),
        };
        if version > VERSION {
            return Err(EnvelopeError::Newer { version });
        }
        Ok(read?)
    }

    /// Reads the body.
    ///
    /// # Errors
    /// The body does not have the form of this type.
    pub fn body<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.body.get())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn envelope(body: &Value) -> Envelope {
        Envelope::new(NodeName::parse("chat-1").unwrap(), "i".into(), "events", body).unwrap()
    }

    #[test]
    fn the_encoded_form_does_not_change() {
        let bytes = envelope(&json!({"seq": 7})).encode().unwrap();
        let expected = r#"{"v":1,"from":"chat-1","inc":"i","kind":"events","body":{"seq":7}}"#;
        assert_eq!(bytes, expected);
    }

    #[test]
    fn unknown_fields_are_ignored_and_unknown_kinds_are_given_to_the_caller() {
        let text = r#"{"new":[1],"v":1,"kind":"of-2031","from":"n","inc":"i","body": {"b" : 1} }"#;
        let read = Envelope::decode(text.as_bytes()).unwrap();
        assert_eq!((&*read.kind, read.body.get()), ("of-2031", r#"{"b" : 1}"#));
        assert_eq!(read.from.as_str(), "n");
    }

    #[test]
    fn a_newer_version_is_named_whatever_its_fields_are() {
        for text in [
            r#"{"v":2,"from":"n","inc":"i","kind":"k","body":1}"#,
            r#"{"v":2,"from":["n","m"],"incarnation":7}"#,
        ] {
            let error = Envelope::decode(text.as_bytes()).unwrap_err();
            assert!(matches!(error, EnvelopeError::Newer { version: 2 }), "{error}");
            assert!(error.to_string().contains("version 2"), "{error}");
        }
    }

    #[test]
    fn what_is_not_an_envelope_is_malformed() {
        for text in [
            "",
            "null",
            "{}",
            "{\"v\":1}",
            r#"{"v":70000,"from":"n"}"#,
            r#"{"v":1,"from":"a.b","inc":"i","kind":"k","body":1}"#,
            r#"{"v":1,"from":"n","inc":"i","kind":"k"}"#,
            r#"{"v":1,"from":"n","inc":"i","kind":"k","body":}"#,
        ] {
            let error = Envelope::decode(text.as_bytes()).unwrap_err();
            assert!(matches!(error, EnvelopeError::Malformed(_)), "{text:?}: {error}");
        }
    }

    #[test]
    fn a_message_has_a_maximum_size() {
        let around = envelope(&json!("")).encode().unwrap().len();
        let largest = envelope(&json!("x".repeat(MAX_MESSAGE - around)));
        assert_eq!(largest.encode().unwrap().len(), MAX_MESSAGE);
        let error = envelope(&json!("x".repeat(MAX_MESSAGE - around + 1))).encode().unwrap_err();
        assert!(matches!(error, EnvelopeError::TooLarge { size } if size == MAX_MESSAGE + 1), "{error}");
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(incarnation in "\\PC{0,20}", kind in "\\PC{0,20}", text in "\\PC{0,50}") {
            let from = NodeName::parse("chat-1").unwrap();
            let sent = Envelope::new(from, incarnation.into(), kind, &text).unwrap();
            let read = Envelope::decode(&sent.encode().unwrap()).unwrap();
            prop_assert_eq!(&read.incarnation, &sent.incarnation);
            prop_assert_eq!(&read.kind, &sent.kind);
            prop_assert_eq!(read.body::<String>().unwrap(), text);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Envelope::decode(&bytes);
        }
    }
}
