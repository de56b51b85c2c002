//! Values of the fields of a client's frame, before it is known which type each field must have.

use std::borrow::Cow;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::client::FIELDS;
use super::from_field::{FromField, Reason};

/// The fields of a frame that any command has, so that a frame is parsed in one pass and without an
/// intermediate tree. The value of a field matters only if the frame's type has this field.
///
/// Each one is there once, with its [`slot`]. A frame has few, so that finding one takes no longer
/// than moving and dropping a value for each field that a frame may have.
pub(super) struct Fields<'a>(Vec<(usize, Field<'a>)>);

/// How many fields the commands that are sent most often have, or a few more.
const FEW: usize = 6;

/// Stands for a field in [`Fields`]: where its name first occurs in [`FIELDS`].
pub(super) const fn slot(name: &str) -> usize {
    let mut slot = 0;
    while !is_equal(FIELDS[slot].as_bytes(), name.as_bytes()) {
        slot += 1;
    }
    slot
}

/// Compares texts at compile time, which `==` cannot do.
const fn is_equal(a: &[u8], b: &[u8]) -> bool {
    let mut common = 0;
    while common < a.len() && common < b.len() && a[common] == b[common] {
        common += 1;
    }
    common == a.len() && common == b.len()
}

impl<'a> Fields<'a> {
    /// Reads a field by the type that it must have.
    pub(super) fn read<T: FromField>(&self, slot: usize) -> Result<T, Reason> {
        T::from_field(self.get(slot), FIELDS[slot])
    }

    /// Reads a field by the type that it must have. Returns the default value if it is absent.
    pub(super) fn read_or_default<T: FromField + Default>(&self, slot: usize) -> Result<T, Reason> {
        match self.get(slot) {
            Field::Absent => Ok(T::default()),
            field => T::from_field(field, FIELDS[slot]),
        }
    }

    fn get(&self, slot: usize) -> &Field<'a> {
        self.0.iter().find(|(known, _)| *known == slot).map_or(&Field::Absent, |(_, field)| field)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Fields<'de>, A::Error> {
        let mut fields: Vec<(usize, Field<'de>)> = Vec::with_capacity(FEW);
        while let Some(Key { slot }) = object.next_key()? {
            let Some(slot) = slot else {
                object.next_value::<IgnoredAny>()?;
                continue;
            };
            // no more than one of each, so this is bounded
            if fields.iter().any(|(known, _)| *known == slot) {
                return Err(A::Error::duplicate_field(FIELDS[slot]));
            }
            fields.push((slot, object.next_value()?));
        }
        Ok(Fields(fields))
    }
}

/// The name of a field.
struct Key {
    /// Its [`slot`]; `None` if no command has this field.
    slot: Option<usize>,
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_identifier(KeyVisitor)
    }
}

struct KeyVisitor;

impl Visitor<'_> for KeyVisitor {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E>(self, name: &str) -> Result<Key, E> {
        Ok(Key { slot: FIELDS.iter().position(|known| *known == name) })
    }
}

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
