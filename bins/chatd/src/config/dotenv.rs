//! The file `.env` in the current folder. It may belong to another program, so only variables with
//! the prefix of this program are read.

use std::collections::BTreeMap;
use std::io;

/// The name of the file.
const NAME: &str = ".env";

/// The settings of the file, by the names of the variables. Empty if there is no such file. The
/// environment of the process is not changed.
#[derive(Debug, Default)]
pub(super) struct Dotenv {
    values: BTreeMap<String, (String, usize)>,
    /// The mistakes in lines of this program. They quote no value, because it may be a secret.
    pub(super) mistakes: Vec<String>,
    /// Why the file is ignored.
    pub(super) warning: Option<String>,
}

impl Dotenv {
    pub(super) fn read(prefix: &str) -> Self {
        match std::fs::read(NAME) {
            Ok(bytes) => Self::parse(&String::from_utf8_lossy(&bytes), prefix),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::default(),
            // most likely the file belongs to another program
            Err(error) => Self {
                warning: Some(format!("the file {NAME} can't be read and is ignored: {error}")),
                ..Self::default()
            },
        }
    }

    fn parse(text: &str, prefix: &str) -> Self {
        let text = text.trim_start_matches('\u{feff}');
        let mut dotenv = Self::default();
        // without a final newline the library would strip trailing spaces of the last line
        for parsed in dotenvy::from_read_iter(format!("{text}\n").as_bytes()) {
            match parsed {
                // an empty variable counts as not set
                Ok((name, value)) if name.starts_with(prefix) && !value.is_empty() => {
                    let line = line_of(text, &name);
                    dotenv.values.insert(name, (value, line));
                }
                // the quoted value of another program's variable may contain lines of this program
                Ok((name, value)) => dotenv.mistakes.extend(swallowed(text, prefix, &name, &value)),
                Err(error) => dotenv.mistakes.extend(mistake(text, prefix, &error)),
            }
        }
        // two lines of another program with the same value would report the same line twice
        dotenv.mistakes.dedup();
        dotenv
    }

    /// The value of a variable.
    pub(super) fn value(&self, variable: &str) -> Option<&str> {
        self.values.get(variable).map(|(value, _)| value.as_str())
    }

    /// The location that sets a variable, for a message.
    pub(super) fn location(&self, variable: &str) -> String {
        self.values.get(variable).map_or(NAME.to_owned(), |(_, line)| format!("{NAME}, line {line}"))
    }

    pub(super) fn variables(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }
}

/// The mistake in lines that could not be parsed, if they belong to this program. It quotes no
/// value.
fn mistake(text: &str, prefix: &str, error: &dotenvy::Error) -> Option<String> {
    let dotenvy::Error::LineParse(raw, _) = error else { return None };
    // the library reports the whole lines or the value alone, and its input had one more newline
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
            Some(name) if name.starts_with(prefix) => Some(format!(
                "{NAME}, line {number}: {name}: not a valid assignment: put a value with spaces in quotation marks, and close them"
            )),
            // an unclosed quotation mark contains all lines after it
            _ => lines.zip(number + 1..).find_map(|(line, own_number)| {
                let name = name_in(line).filter(|name| name.starts_with(prefix))?;
                Some(format!("{NAME}, line {own_number}: {name}: {INSIDE} line {number}"))
            }),
        }
    })
}

/// The part of a line before this byte offset.
fn line_up_to(text: &str, at: usize) -> &str {
    text[..at].rsplit('\n').next().unwrap_or_default()
}

const INSIDE: &str = "not read, because it is inside the quotation marks that are opened in";

/// The mistake if the value of another variable contains a variable of this program.
fn swallowed(text: &str, prefix: &str, name: &str, value: &str) -> Option<String> {
    let is_ours =
        |line: &&str| name_in(line).is_some_and(|name| name.starts_with(prefix)) && line.contains('=');
    let ours = name_in(value.lines().skip(1).find(is_ours)?)?;
    Some(format!("{NAME}, line {}: {ours}: {} line {}", line_of(text, ours), INSIDE, line_of(text, name)))
}

/// The number of the line that sets a variable: the last one, as in a shell.
fn line_of(text: &str, variable: &str) -> usize {
    text.lines()
        .collect::<Vec<_>>()
        .iter()
        .rposition(|line| name_in(line) == Some(variable))
        .unwrap_or_default()
        + 1
}

/// The text before the first equals sign of a line, if it is a valid name of a variable.
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

    fn parse(text: &str) -> Dotenv {
        Dotenv::parse(text, "CHATD_")
    }

    #[test]
    fn only_variables_of_this_program_are_read_and_empty_ones_count_as_not_set() {
        let dotenv = parse(
            "\u{feff}# a comment\nOTHER=with spaces\nMY_DATA_FOLDER=/srv\n\nexport CHATD_DATABASE=${MY_DATA_FOLDER}/chat\nCHATD_LISTEN=\n  CHATD_LOG=info # why",
        );
        assert_eq!(dotenv.mistakes, [""; 0]);
        assert_eq!(dotenv.variables().collect::<Vec<_>>(), ["CHATD_DATABASE", "CHATD_LOG"]);
        assert_eq!(dotenv.value("CHATD_DATABASE"), Some("/srv/chat"));
        assert_eq!(dotenv.location("CHATD_DATABASE"), ".env, line 5");
        assert_eq!(
            (dotenv.value("CHATD_LOG"), dotenv.location("CHATD_LOG")),
            (Some("info"), ".env, line 7".into())
        );
    }

    #[test]
    fn an_invalid_line_is_named_and_not_quoted() {
        let dotenv = parse("A=1\nCHATD_ADMIN_TOKEN=my secret token\nB=it's\nCHATD_LOG=secret's\n");
        let all = dotenv.mistakes.join("\n");
        assert!(all.starts_with(".env, line 2: CHATD_ADMIN_TOKEN: not a valid assignment"), "{all}");
        assert!(all.contains(".env, line 4: CHATD_LOG: not read, because it is inside"), "{all}");
        assert!(!all.contains("secret"), "{all}");

        let dotenv = parse("OTHER=it's\nCHATD_LOG=debug\n");
        assert_eq!(
            dotenv.mistakes,
            [
                ".env, line 2: CHATD_LOG: not read, because it is inside the quotation marks that are opened in line 1"
            ]
        );
        assert_eq!(parse("this is not an assignment\n-----BEGIN KEY-----\n\"").mistakes, [""; 0]);
    }
}
