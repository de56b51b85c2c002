//! Parses the frames of clients.

use std::fmt;

use serde::Deserializer;
use serde::de::{IgnoredAny, MapAccess, Visitor};

use super::field::{Field, Fields, slot};
use super::from_field::{FromField, Reason};
use super::{ClientFrame, Command, ErrorCode};
use crate::Reference;

/// Why a frame is not a valid command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Rejected {
    /// The `ref` of the frame, if it could be read.
    pub reference: Option<Reference>,
    /// The reason, for programs.
    pub code: ErrorCode,
    /// The reason, a sentence for people.
    pub message: String,
}

/// Parses a text frame of a client. Fields that its type does not have are ignored, whatever their
/// values are. A field that is null counts as absent.
///
/// # Errors
/// [`Rejected`] if the frame is not a valid command; its contents are meant for the client.
pub fn read(frame: &str) -> Result<ClientFrame, Rejected> {
    let fields = fields(frame).map_err(|Reason(code, message)| Rejected {
        reference: reference_in_broken_frame(frame),
        code,
        message,
    })?;
    let reference = fields.read(const { slot("ref") }).map_err(|Reason(code, message)| Rejected {
        reference: None,
        code,
        message,
    })?;
    let command = fields.read(const { slot("type") }).and_then(|kind| Command::read(kind, &fields));
    match command {
        Ok(command) => Ok(ClientFrame { reference, command }),
        Err(Reason(code, message)) => Err(Rejected { reference, code, message }),
    }
}

fn fields(frame: &str) -> Result<Fields<'_>, Reason> {
    // checked here, so that serde_json finds no value of another type
    if !frame.trim_start_matches([' ', '\t', '\r', '\n']).starts_with('{') {
        return Err(Reason(ErrorCode::BadJson, "a frame must be a JSON object".into()));
    }
    serde_json::from_str(frame).map_err(|error| {
        // fields accept values of any type, so the only data error is a duplicate field
        if error.is_data() {
            Reason(ErrorCode::MissingField, format!("a field occurs twice: {error}"))
        } else {
            Reason(ErrorCode::BadJson, format!("invalid JSON: {error}"))
        }
    })
}

/// The `ref` of a frame that is not valid JSON, if it precedes the error.
fn reference_in_broken_frame(frame: &str) -> Option<Reference> {
    let mut found = None;
    // the result is an error, which is known already
    let _ = serde_json::Deserializer::from_str(frame).deserialize_map(ReferenceOnly(&mut found));
    found
}

/// Stores the first `ref` as soon as it is read, so that it survives an error after it.
struct ReferenceOnly<'f>(&'f mut Option<Reference>);

impl<'de> Visitor<'de> for ReferenceOnly<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Field<'de>>()? {
            if key.is_text("ref") && self.0.is_none() {
                *self.0 = Reference::from_field(&map.next_value()?, "ref").ok();
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}
