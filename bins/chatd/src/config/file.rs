//! The configuration file: TOML, one key for each option, written as its flag with `_` or `-` between the words.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

/// A configuration file can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error("the configuration file {} can't be read: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("the configuration file {} is no TOML: {source}", path.display())]
    Toml { path: PathBuf, source: toml::de::Error },
    #[error("the configuration file {} sets {key} twice, once with - and once with _", path.display())]
    Twice { path: PathBuf, key: String },
    #[error("the configuration file {} sets {key} to something that is no text, number, true, false, or list of texts", path.display())]
    Kind { path: PathBuf, key: String },
}

/// What a configuration file sets: by the names of flags, as flags would have it.
#[derive(Debug, Default)]
pub(crate) struct File {
    pub(crate) path: PathBuf,
    pub(crate) values: BTreeMap<String, String>,
}

impl File {
    pub(crate) fn read(path: &Path) -> Result<Self, FileError> {
        let path = path.to_owned();
        match std::fs::read_to_string(&path) {
            Ok(text) => Self::parse(path, &text),
            Err(source) => Err(FileError::Read { path, source }),
        }
    }

    fn parse(path: PathBuf, text: &str) -> Result<Self, FileError> {
        let table: Table = match text.parse() {
            Ok(table) => table,
            Err(source) => return Err(FileError::Toml { path, source }),
        };
        let mut values = BTreeMap::new();
        for (key, value) in table {
            let key = key.replace('_', "-");
            let Some(value) = as_flag(&value) else { return Err(FileError::Kind { path, key }) };
            if values.insert(key.clone(), value).is_some() {
                return Err(FileError::Twice { path, key });
            }
        }
        Ok(Self { path, values })
    }
}

/// A value as a flag would have it: switches are on or off, and lists have commas between their items.
fn as_flag(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Boolean(true) => Some("on".to_owned()),
        Value::Boolean(false) => Some("off".to_owned()),
        Value::Array(items) => {
            items.iter().map(Value::as_str).collect::<Option<Vec<_>>>().map(|items| items.join(","))
        }
        Value::Float(_) | Value::Datetime(_) | Value::Table(_) => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<File, String> {
        File::parse("chatd.toml".into(), text).map_err(|error| error.to_string())
    }

    #[test]
    fn values_are_what_flags_would_be() {
        let file = parse(
            "listen = '0.0.0.0:80'\nmessage_rate = 5\nhistory = true\npage = false\nallowed-origins = ['https://a.example', 'https://b.example']",
        );
        let expected = [
            ("allowed-origins", "https://a.example,https://b.example"),
            ("history", "on"),
            ("listen", "0.0.0.0:80"),
            ("message-rate", "5"),
            ("page", "off"),
        ];
        let values = file.unwrap().values;
        assert!(values.iter().map(|(key, value)| (&**key, &**value)).eq(expected), "{values:?}");
    }

    #[test]
    fn what_is_no_configuration_is_told_with_its_place() {
        assert!(parse("listen = ").unwrap_err().contains("line 1"));
        assert!(parse("[limits]\nrooms = 1").unwrap_err().contains("sets limits to something"));
        assert!(parse("a-b = 1\na_b = 2").unwrap_err().contains("sets a-b twice"));
    }
}
