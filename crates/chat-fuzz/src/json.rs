//! A frame as another reader sees it, to hold the dialects' own readers against.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::Value;

/// The fields of a JSON object, each with all of its values: a field may stand there twice. None where it is no object, or has
/// something in it that can't be read into memory (a lone surrogate, a number out of range).
pub(crate) fn object(frame: &str) -> Option<Object> {
    serde_json::from_str(frame).ok()
}

/// See [`object()`].
pub(crate) struct Object(BTreeMap<String, Vec<Value>>);

impl Object {
    /// The value of a field that stands there once. Null is as good as no field.
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

    /// Whether any of these fields stands there twice.
    pub(crate) fn has_twice(&self, fields: &[&str]) -> bool {
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
