//! The configuration file: TOML with one key for each option. A key is the name of the flag, with
//! `_` or `-` between the words.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The settings of a configuration file, by the names of the flags. Values are written as flags
/// take them.
#[derive(Debug, Default)]
pub(super) struct File {
    pub(super) path: PathBuf,
    values: BTreeMap<String, Entry>,
    /// The mistakes in the file. They quote no value, because it may be a secret.
    pub(super) mistakes: Vec<String>,
}

#[derive(Debug)]
struct Entry {
    value: String,
    line: usize,
}

impl File {
    /// Reads a file. A file that can't be read is a mistake.
    pub(super) fn read(path: &Path) -> Self {
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(path.to_owned(), &text),
            Err(error) => {
                let mistake = format!("the configuration file {} can't be read: {error}", path.display());
                Self { path: path.to_owned(), mistakes: vec![mistake], ..Self::default() }
            }
        }
    }

    fn parse(path: PathBuf, text: &str) -> Self {
        let (table, errors) = DeTable::parse_recoverable(text);
        let mut file = Self { path, ..Self::default() };
        let mut wrong_lines = Vec::new();
        for error in errors {
            let line = error.span().map_or(1, |span| line_at(text, span.start));
            // further errors in the same line follow from the first
            if !wrong_lines.contains(&line) {
                wrong_lines.push(line);
                let location = file.at(line);
                let key = key_in(text, line).map(|key| format!("{key}: ")).unwrap_or_default();
                file.mistakes.push(format!("{location}: {key}not valid TOML: {}", error.message()));
            }
        }
        for (key, value) in table.into_inner() {
            let line = line_at(text, key.span().start);
            if !wrong_lines.contains(&line) {
                file.set(key.into_inner().replace('_', "-"), &value, line);
            }
        }
        file
    }

    fn set(&mut self, key: String, value: &Spanned<DeValue<'_>>, line: usize) {
        let location = self.at(line);
        match as_flag(value.get_ref()) {
            None => self.mistakes.push(format!(
                "{location}: {key}: expected a text, a number, true, false, or a list of texts"
            )),
            Some(_) if self.values.contains_key(&key) => {
                self.mistakes.push(format!("{location}: {key}: set twice, once with - and once with _"));
            }
            Some(value) => {
                self.values.insert(key, Entry { value, line });
            }
        }
    }

    /// The value of a key.
    pub(super) fn value(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(|entry| entry.value.as_str())
    }

    /// The location that sets a key, for a message.
    pub(super) fn location(&self, key: &str) -> String {
        self.values.get(key).map_or_else(|| self.path.display().to_string(), |entry| self.at(entry.line))
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    fn at(&self, line: usize) -> String {
        format!("{}, line {line}", self.path.display())
    }
}

/// A value written as a flag takes it: booleans become `on` and `off`, lists are separated by
/// commas.
fn as_flag(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        // the parser has removed underscores already
        DeValue::Integer(number) => {
            i128::from_str_radix(number.as_str(), number.radix()).ok().map(|n| n.to_string())
        }
        DeValue::Boolean(true) => Some("on".to_owned()),
        DeValue::Boolean(false) => Some("off".to_owned()),
        DeValue::Array(items) => {
            let texts = items.iter().map(|item| match item.get_ref() {
                DeValue::String(text) => Some(text.as_ref()),
                _ => None,
            });
            texts.collect::<Option<Vec<_>>>().map(|texts| texts.join(","))
        }
        DeValue::Float(number) => Some(number.as_str().to_owned()),
        DeValue::Datetime(_) | DeValue::Table(_) => None,
    }
}

/// The number of the line with this byte; the last line, if the byte is the end of the text.
fn line_at(text: &str, byte: usize) -> usize {
    let before = text.bytes().take(byte).filter(|byte| *byte == b'\n').count();
    (before + 1).min(text.lines().count().max(1))
}

/// The key that a line sets.
fn key_in(text: &str, line: usize) -> Option<&str> {
    let (key, _) = text.lines().nth(line - 1)?.split_once('=')?;
    let key = key.trim();
    let is_key =
        !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    is_key.then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> File {
        File::parse("chatd.toml".into(), text)
    }

    #[test]
    fn values_are_written_as_flags_take_them() {
        let file = parse(
            "listen = '0.0.0.0:80'\nmessage_rate = 1_000\nhistory = true\npage = false\nallowed-origins = ['https://a.example', 'https://b.example']\ntrace_sample = 0.5\njoin_rate = 0x10",
        );
        let expected = [
            ("allowed-origins", "https://a.example,https://b.example"),
            ("history", "on"),
            ("join-rate", "16"),
            ("listen", "0.0.0.0:80"),
            ("message-rate", "1000"),
            ("page", "off"),
            ("trace-sample", "0.5"),
        ];
        assert_eq!(file.mistakes, [""; 0]);
        let values: Vec<_> = file.keys().map(|key| (key, file.value(key).unwrap_or_default())).collect();
        assert_eq!(values, expected);
        assert_eq!(file.location("page"), "chatd.toml, line 4");
    }

    #[test]
    fn mistakes_name_line_and_key_and_quote_no_value() {
        let file = parse("listen = \nadmin-token = \"a secret\nadmin_token_file = a secret\n\npage = true\n");
        let all = file.mistakes.join("\n");
        for place in ["chatd.toml, line 1: listen: ", "line 2: admin-token: ", "line 3: admin_token_file: "] {
            assert!(all.contains(place), "{place} in {all}");
        }
        assert!(!all.contains("a secret"), "{all}");
        assert_eq!(file.value("page"), Some("on"), "the rest is read");

        let file = parse("[limits]\nrooms = 1");
        assert_eq!(
            file.mistakes,
            ["chatd.toml, line 1: limits: expected a text, a number, true, false, or a list of texts"]
        );
        let file = parse("a-b = 1\na_b = 2");
        assert!(file.mistakes.join("").ends_with("a-b: set twice, once with - and once with _"), "{file:?}");
        assert!(parse("a = 1\na = 2").mistakes.join("").contains("line 2: a: "));
    }
}
