//! The file `.env` in the current folder. It may be another program's: only what begins with `CHATD_` is looked at.

use std::collections::BTreeMap;
use std::io;

/// Its name.
pub(crate) const NAME: &str = ".env";

/// What the variables of this program begin with.
pub(crate) const PREFIX: &str = "CHATD_";

/// What it sets, by the names of variables. Nothing where there is no such file; the process's own environment stays as it is.
#[derive(Debug, Default)]
pub(crate) struct Dotenv {
    values: BTreeMap<String, (String, usize)>,
    /// Lines that should set something and can't be read. No value is quoted: it may be a secret.
    pub(crate) mistakes: Vec<String>,
    /// Why it is not looked at.
    pub(crate) warning: Option<String>,
}

impl Dotenv {
    pub(crate) fn read() -> Self {
        match std::fs::read(NAME) {
            Ok(bytes) => Self::parse(&String::from_utf8_lossy(&bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::default(),
            // another program's, most likely: what is set there is not for us
            Err(error) => Self {
                warning: Some(format!("the file {NAME} can't be read and is ignored: {error}")),
                ..Self::default()
            },
        }
    }

    fn parse(text: &str) -> Self {
        let text = text.trim_start_matches('\u{feff}');
        let mut dotenv = Self::default();
        // a last line without an end would lose its trailing spaces to the library's parser
        for parsed in dotenvy::from_read_iter(format!("{text}\n").as_bytes()) {
            match parsed {
                // an empty variable counts as one that is not set
                Ok((name, value)) if name.starts_with(PREFIX) && !value.is_empty() => {
                    let line = line_of(text, &name);
                    dotenv.values.insert(name, (value, line));
                }
                // a quotation mark that another program has opened may take our lines along
                Ok((name, value)) => dotenv.mistakes.extend(swallowed(text, &name, &value)),
                Err(error) => dotenv.mistakes.extend(mistake(text, &error)),
            }
        }
        // another program's line with the same value would name ours a second time
        dotenv.mistakes.dedup();
        dotenv
    }

    /// The value of a variable.
    pub(crate) fn value(&self, variable: &str) -> Option<&str> {
        self.values.get(variable).map(|(value, _)| value.as_str())
    }

    /// Where a variable is set, for a person.
    pub(crate) fn place(&self, variable: &str) -> String {
        self.values.get(variable).map_or(NAME.to_owned(), |(_, line)| format!("{NAME}, line {line}"))
    }

    pub(crate) fn variables(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }
}

/// What is wrong with lines that could not be read, as far as they are this program's. No value is quoted.
fn mistake(text: &str, error: &dotenvy::Error) -> Option<String> {
    let dotenvy::Error::LineParse(raw, _) = error else { return None };
    // the library gives the whole of them, or the value alone; and it was given one more line end
    let raw = raw.trim_end();
    let begins_here = |at: &usize| {
        let before = line_up_to(text, *at).trim_end();
        before.is_empty() || before.ends_with('=')
    };
    let mut starts = text.match_indices(raw).map(|(at, _)| at).filter(begins_here);
    starts.find_map(|at| {
        let begin = at - line_up_to(text, at).len();
        let number = text[..begin].matches('\n').count() + 1;
        let mut lines = text[begin..at + raw.len()].lines();
        match lines.next().and_then(name_in) {
            Some(name) if name.starts_with(PREFIX) => Some(format!(
                "{NAME}, line {number}: {name}: not a valid assignment: put a value with spaces in quotation marks, and close them"
            )),
            // a quotation mark that is not closed takes all lines after it along
            _ => lines.zip(number + 1..).find_map(|(line, own_number)| {
                let name = name_in(line).filter(|name| name.starts_with(PREFIX))?;
                Some(format!("{NAME}, line {own_number}: {name}: {INSIDE} line {number}"))
            }),
        }
    })
}

/// The part of a line that is before this place.
fn line_up_to(text: &str, at: usize) -> &str {
    text[..at].rsplit('\n').next().unwrap_or_default()
}

const INSIDE: &str = "not read, because it is inside the quotation marks that are opened in";

/// A variable of this program that was taken for a part of another one's value.
fn swallowed(text: &str, name: &str, value: &str) -> Option<String> {
    let is_ours =
        |line: &&str| name_in(line).is_some_and(|name| name.starts_with(PREFIX)) && line.contains('=');
    let ours = name_in(value.lines().skip(1).find(is_ours)?)?;
    Some(format!("{NAME}, line {}: {ours}: {} line {}", line_of(text, ours), INSIDE, line_of(text, name)))
}

/// The line that sets a variable: the last one, as in a shell.
fn line_of(text: &str, variable: &str) -> usize {
    text.lines()
        .collect::<Vec<_>>()
        .iter()
        .rposition(|line| name_in(line) == Some(variable))
        .unwrap_or_default()
        + 1
}

/// What stands before the first equals sign of a line, if it may be the name of a variable.
fn name_in(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
    let name = line.split(|c: char| c == '=' || c.is_whitespace()).next()?;
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_name.then_some(name)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn only_variables_of_this_program_are_read_and_empty_ones_are_not_set() {
        let dotenv = Dotenv::parse(
            "\u{feff}# a comment\nOTHER=with spaces\nMY_DATA_FOLDER=/srv\n\nexport CHATD_DATABASE=${MY_DATA_FOLDER}/chat\nCHATD_LISTEN=\n  CHATD_LOG=info # why",
        );
        assert_eq!(dotenv.mistakes, [""; 0]);
        assert_eq!(dotenv.variables().collect::<Vec<_>>(), ["CHATD_DATABASE", "CHATD_LOG"]);
        assert_eq!(dotenv.value("CHATD_DATABASE"), Some("/srv/chat"));
        assert_eq!(dotenv.place("CHATD_DATABASE"), ".env, line 5");
        assert_eq!(
            (dotenv.value("CHATD_LOG"), dotenv.place("CHATD_LOG")),
            (Some("info"), ".env, line 7".into())
        );
    }

    #[test]
    fn a_line_that_can_t_be_read_is_named_and_never_quoted() {
        let dotenv = Dotenv::parse("A=1\nCHATD_ADMIN_TOKEN=my secret token\nB=it's\nCHATD_LOG=secret's\n");
        let all = dotenv.mistakes.join("\n");
        assert!(all.starts_with(".env, line 2: CHATD_ADMIN_TOKEN: not a valid assignment"), "{all}");
        assert!(all.contains(".env, line 4: CHATD_LOG: not read, because it is inside"), "{all}");
        assert!(!all.contains("secret"), "{all}");

        let dotenv = Dotenv::parse("OTHER=it's\nCHATD_LOG=debug\n");
        assert_eq!(
            dotenv.mistakes,
            [
                ".env, line 2: CHATD_LOG: not read, because it is inside the quotation marks that are opened in line 1"
            ]
        );
        assert_eq!(Dotenv::parse("this is not an assignment\n-----BEGIN KEY-----\n\"").mistakes, [""; 0]);
    }
}
