//! The log filter: a level such as `info`, or levels for parts of the program.

use std::str::FromStr;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;

/// The level of the parts that no directive names.
const DEFAULT: &str = "info";

/// What libraries log and nobody needs: the notices of PostgreSQL. chatd reports failures itself.
const QUIET: &str = "tokio_postgres=off";

/// The names of the levels.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// The crates that write log lines.
const PARTS: [&str; 14] = [
    "chat_access",
    "chat_accounts",
    "chat_admin",
    "chat_db",
    "chat_history",
    "chat_markdown",
    "chat_page",
    "chat_presence",
    "chat_protocol",
    "chat_rooms",
    "chat_search",
    "chat_server",
    "chat_usage",
    "chatd",
];

/// A valid filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogFilter(String);

/// Why a text is not a valid filter. The library accepts nearly every word as the name of a part,
/// and then logs nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogFilterError {
    #[error("expected a log level ({})", LEVELS.join(", "))]
    Empty,
    #[error("{word:?} is not a log level ({}){}", LEVELS.join(", "), did_you_mean(.word, &LEVELS))]
    Level { word: String },
    #[error("{part:?} is not a part of chatd{}", did_you_mean(.part, &PARTS))]
    Part { part: String },
    #[error(
        "{directive:?} is not a log directive: expected a level, or a part and its level such as chat_server=debug"
    )]
    Directive { directive: String },
}

impl LogFilter {
    pub(crate) fn to_env_filter(&self) -> EnvFilter {
        // the text was checked by the same parser
        let filter = format!("{QUIET},{}", self.0);
        EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new(DEFAULT))
    }
}

impl FromStr for LogFilter {
    type Err = LogFilterError;

    fn from_str(text: &str) -> Result<Self, LogFilterError> {
        let directives: Vec<_> =
            text.split(',').map(str::trim).filter(|directive| !directive.is_empty()).collect();
        if directives.is_empty() {
            return Err(LogFilterError::Empty);
        }
        directives.iter().try_for_each(|directive| check(directive))?;
        let mut filter = directives.join(",");
        if !directives.iter().any(|directive| is_level(directive)) {
            // otherwise the library logs nothing of all other parts, not even errors
            filter = format!("{DEFAULT},{filter}");
        }
        match EnvFilter::try_new(&filter) {
            Ok(_) => Ok(Self(filter)),
            Err(_) => Err(LogFilterError::Directive { directive: text.to_owned() }),
        }
    }
}

fn check(directive: &str) -> Result<(), LogFilterError> {
    let (what, level) = match directive.rsplit_once('=') {
        // an equals sign in brackets belongs to a span's field
        Some((what, level)) if !level.contains(']') => (what.trim(), level.trim()),
        _ if directive.contains(['[', ':', '{']) => {
            return Err(LogFilterError::Directive { directive: directive.to_owned() });
        }
        _ if is_level(directive) => return Ok(()),
        _ => return Err(LogFilterError::Level { word: directive.to_owned() }),
    };
    if !is_level(level) {
        return Err(LogFilterError::Level { word: level.to_owned() });
    }
    let target = what.split('[').next().unwrap_or_default();
    if !target.chars().all(|c| c.is_ascii_alphanumeric() || "_:-".contains(c)) || what.is_empty() {
        return Err(LogFilterError::Directive { directive: directive.to_owned() });
    }
    let part = target.split("::").next().unwrap_or_default();
    if part.starts_with("chat") && !PARTS.iter().any(|known| known.starts_with(part)) {
        return Err(LogFilterError::Part { part: part.to_owned() });
    }
    Ok(())
}

fn is_level(word: &str) -> bool {
    !word.is_empty() && word.parse::<LevelFilter>().is_ok()
}

fn did_you_mean(word: &str, known: &[&str]) -> String {
    let similarity = |known: &&&str| strsim::jaro_winkler(&word.to_lowercase(), known);
    let nearest = known.iter().max_by(|a, b| similarity(a).total_cmp(&similarity(b)));
    nearest
        .filter(|nearest| similarity(nearest) > 0.7)
        .map_or(String::new(), |nearest| format!("; did you mean {nearest}?"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        text.parse::<LogFilter>().unwrap_err().to_string()
    }

    #[test]
    fn levels_and_parts_with_levels_are_filters() {
        for text in
            ["off", "ERROR", "warn,chat_server=debug", "info, chatd=trace,", "hyper=off", "chat=debug"]
        {
            assert!(text.parse::<LogFilter>().is_ok(), "{text}");
        }
        assert!("chat_server[handshake]=trace".parse::<LogFilter>().is_ok());
    }

    #[test]
    fn a_part_alone_keeps_the_default_level_of_the_rest() {
        assert_eq!("chat_server=debug".parse::<LogFilter>().unwrap().0, "info,chat_server=debug");
        assert_eq!("warn,chat_server=debug".parse::<LogFilter>().unwrap().0, "warn,chat_server=debug");
    }

    #[test]
    fn notices_of_postgres_are_logged_on_demand() {
        let filter = |text: &str| text.parse::<LogFilter>().unwrap().to_env_filter().to_string();
        assert!(filter("info").contains("tokio_postgres=off"), "{}", filter("info"));
        assert!(!filter("tokio_postgres=debug").contains("tokio_postgres=off"));
    }

    #[test]
    fn any_other_word_is_an_error_that_lists_the_levels() {
        let levels = "(off, error, warn, info, debug, trace)";
        assert_eq!(error("warning"), format!("\"warning\" is not a log level {levels}; did you mean warn?"));
        assert_eq!(error("inof"), format!("\"inof\" is not a log level {levels}; did you mean info?"));
        assert_eq!(error("zz"), format!("\"zz\" is not a log level {levels}"));
        assert_eq!(error("info,chat_server"), format!("\"chat_server\" is not a log level {levels}"));
        assert_eq!(error("chat_server="), format!("\"\" is not a log level {levels}"));
        assert!(error("info,chat_server=verbose").starts_with("\"verbose\" is not a log level"));
        assert_eq!(
            error("chat_sever=debug"),
            "\"chat_sever\" is not a part of chatd; did you mean chat_server?"
        );
        assert_eq!(error(" , "), format!("expected a log level {levels}"));
        for text in ["=info", "chat server=info", "[a{b=c}]", "chat_server::tls"] {
            assert!(text.parse::<LogFilter>().is_err(), "{text}");
        }
    }
}
