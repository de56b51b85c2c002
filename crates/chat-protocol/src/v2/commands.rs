//! The macro that generates the reader of the commands from their types.

/// Declares [`Command`](super::Command) and the structs of its variants as they are written, and
/// generates the code that reads them from the fields of a frame: [`Fields`](super::field::Fields).
/// Fields are read in the order of their declarations, by their types: see
/// [`FromField`](super::from_field::FromField).
///
/// Only these attributes of a field are accepted, so that the reader does what serde does:
///
/// - `#[serde(default, skip_serializing_if = "…")]`: if the field is absent, it has the default
///   value of its type. Without this attribute, the field is required unless it is an `Option`.
/// - `#[map(function)]`, last: the reader passes the value through this function. Serde does not.
macro_rules! commands {
    (
        $(#[$command_attr:meta])*
        pub enum Command {
            $(
                $(#[$variant_attr:meta])*
                $variant:ident
                    $(($content:ident))?
                    $({ $($(#[doc = $inline_doc:literal])* $inline:ident: $inline_type:ty,)* })?,
            )*
        }
        $(
            $(#[$struct_attr:meta])*
            pub struct $name:ident {
                $(
                    $(#[doc = $doc:literal])*
                    $(#[serde(default, skip_serializing_if = $skip:literal)])?
                    $(#[map($map:path)])?
                    pub $field:ident: $type:ty,
                )*
            }
        )*
    ) => {
        $(#[$command_attr])*
        pub enum Command {
            $(
                $(#[$variant_attr])*
                $variant
                    $(($content))?
                    $({ $($(#[doc = $inline_doc])* $inline: $inline_type,)* })?,
            )*
        }

        /// The `type` of a frame.
        #[derive(Clone, Copy, serde::Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub(super) enum Kind {
            $($variant,)*
        }

        /// The names of the fields of all commands. A name that several commands use occurs several
        /// times.
        pub(super) const FIELDS: &[&str] = &[
            "type",
            "ref",
            $($($(stringify!($inline),)*)?)*
            $($(stringify!($field),)*)*
        ];

        impl Command {
            pub(super) fn read(
                kind: Kind,
                fields: &super::field::Fields<'_>,
            ) -> Result<Self, super::from_field::Reason> {
                Ok(match kind {
                    $(
                        Kind::$variant => Self::$variant
                            $(($content::read(fields)?))?
                            $({ $($inline: super::commands::field!(fields, $inline)?,)* })?,
                    )*
                })
            }
        }

        $(
            $(#[$struct_attr])*
            pub struct $name {
                $(
                    $(#[doc = $doc])*
                    $(#[serde(default, skip_serializing_if = $skip)])?
                    pub $field: $type,
                )*
            }

            impl $name {
                fn read(fields: &super::field::Fields<'_>) -> Result<Self, super::from_field::Reason> {
                    Ok(Self {
                        $(
                            $field: super::commands::field!(fields, $field $(, default $skip)?)
                                $(.map($map))??,
                        )*
                    })
                }
            }
        )*
    };
}

/// Reads the field with this name. With `default`, the field may be absent.
macro_rules! field {
    ($fields:ident, $name:ident) => {
        $fields.read(const { super::field::slot(stringify!($name)) })
    };
    ($fields:ident, $name:ident, default $skip:literal) => {
        $fields.read_or_default(const { super::field::slot(stringify!($name)) })
    };
}

pub(super) use {commands, field};
