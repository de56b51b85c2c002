//! A frame as another JSON parser reads it, to compare the parsers of the protocols with.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::Value;

/// The fields of a JSON object, each with all of its values, because fields may occur more than
/// once. `None` if the frame is not an object, or contains a value that cannot be represented (a
/// lone surrogate, a number out of range).
pub(crate) fn object(frame: &str) -> Option<Object> {
    serde_json::from_str(frame).ok()
}

/// See [`object()`].
pub(crate) struct Object(BTreeMap<String, Vec<Value>>);

impl Object {
    /// The value of a field that occurs once; `None` if it is null.
    pub(crate) fn once(&self, field: &str) -> Option<&Value> {
        match self.all(field) {
            [value] if !value.is_null() => Some(value),
            _ => None,
        }
    }

    /// All values of a field.
    pub(crate) fn all(&self, field: &str) -> &[Value] {
        self.0.get(field).map_or(&[], Vec::as_slice)
    }

    /// Whether any of these fields occurs more than once.
    pub(crate) fn has_duplicate(&self, fields: &[&str]) -> bool {
        fields.iter().any(|field| self.all(field).len() > 1)
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
        let mut fields = BTreeMap::<_, Vec<_>>::new();
        while let Some((field, value)) = map.next_entry()? {
            fields.entry(field).or_default().push(value);
        }
        Ok(Object(fields))
    }
}
