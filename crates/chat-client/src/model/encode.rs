//! Frames as text.

use serde::Serialize;

/// The JSON of a frame.
pub(crate) fn to_json(frame: &impl Serialize) -> String {
    // structs of strings and numbers cannot fail to serialize
    let json = serde_json::to_string(frame);
    debug_assert!(json.is_ok());
    json.unwrap_or_default()
}
