//! Values of the fields of a client's frame, before it is known which type each field must have.

use std::borrow::Cow;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// A value of any type. Strings are borrowed if possible. Values that are valid in no field are not
/// kept.
#[derive(Default)]
pub(super) enum Field<'a> {
    /// No field, or null.
    #[default]
    Absent,
    Text(Cow<'a, str>),
    Number(u64),
    Flag(bool),
    Object(Box<SinceFields<'a>>),
    /// A whole number that is negative or too large.
    OutOfRange,
    /// A list, or a number that is not a whole number.
    Other,
}

/// The fields of an object that are read. The only object in a frame is `since`.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct SinceFields<'a> {
    #[serde(borrow)]
    pub(super) epoch: Field<'a>,
    #[serde(borrow)]
    pub(super) seq: Field<'a>,
}

impl Field<'_> {
    pub(super) fn is_text(&self, expected: &str) -> bool {
        matches!(self, Self::Text(text) if text == expected)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Field<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FieldVisitor)
    }
}

struct FieldVisitor;

impl<'de> Visitor<'de> for FieldVisitor {
    type Value = Field<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Field<'de>, E> {
        Ok(Field::Absent)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Field<'de>, E> {
        Ok(Field::Text(text.into()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Field<'de>, E> {
        Ok(Field::Text(text.to_owned().into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Field<'de>, E> {
        Ok(Field::Number(number))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Field<'de>, E> {
        // serde passes numbers that are not negative to visit_u64
        Ok(Field::OutOfRange)
    }

    fn visit_f64<E>(self, number: f64) -> Result<Field<'de>, E> {
        /// 2^64, the first whole number that does not fit into a `u64`.
        const LIMIT: f64 = 18_446_744_073_709_551_616.0;
        let is_out_of_range = number.fract() == 0.0 && !(0.0..LIMIT).contains(&number);
        Ok(if is_out_of_range { Field::OutOfRange } else { Field::Other })
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Field<'de>, E> {
        Ok(Field::Flag(flag))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Field<'de>, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Field::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Field<'de>, A::Error> {
        SinceFields::deserialize(MapAccessDeserializer::new(object))
            .map(|since| Field::Object(Box::new(since)))
    }
}
