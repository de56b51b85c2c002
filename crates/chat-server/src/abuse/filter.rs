//! A filter of words and links.

use std::collections::HashSet;
use std::str::FromStr;

use unicode_normalization::UnicodeNormalization;
use url::Url;

/// Which words and links are not allowed in messages.
///
/// Its text form has a rule in each line: `deny` or `allow`, `word` or `link`, and what is meant.
/// `#` begins a comment. A word is compared without regard to case; one that ends or begins with
/// `*` stands for all words that begin or end so. A link is a host, and all names below it; `*`
/// stands for all links. What is allowed is allowed although another rule denies it.
///
/// ```
/// use chat_server::Filter;
///
/// let filter: Filter = "
///     deny word viagra*
///     deny link *            # no links, except to these
///     allow link example.org
/// ".parse()?;
/// assert!(filter.allows("see https://docs.example.org/"));
/// assert!(!filter.allows("cheap ViagraX"));
/// assert!(!filter.allows("[here](https://spam.example)"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    denied: Words,
    allowed: Words,
    denied_links: Hosts,
    allowed_links: Hosts,
}

/// A line is not a rule of a [`Filter`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct FilterError {
    /// The number of the line.
    pub line: usize,
    /// What is wrong with it.
    pub reason: &'static str,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Words {
    whole: HashSet<String>,
    beginnings: Vec<String>,
    ends: Vec<String>,
    parts: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Hosts {
    all: bool,
    names: HashSet<String>,
}

impl Filter {
    /// Whether a body has neither a word nor a link that is denied.
    pub fn allows(&self, body: &str) -> bool {
        self.allows_words(body) && self.allows_links(body)
    }

    fn allows_words(&self, body: &str) -> bool {
        if self.denied == Words::default() {
            return true;
        }
        // marks of Markdown may be inside a word
        let bare: String = body.chars().filter(|c| !matches!(c, '*' | '_' | '~' | '`' | '\\')).collect();
        [body, &bare].into_iter().all(|text| {
            let text = folded(text);
            let mut words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
            words.all(|word| !self.denied.contains(word) || self.allowed.contains(word))
        })
    }

    fn allows_links(&self, body: &str) -> bool {
        if self.denied_links == Hosts::default() {
            return true;
        }
        let is_allowed = |host: &String| !self.denied_links.contain(host) || self.allowed_links.contain(host);
        chat_markdown::targets(body).iter().filter_map(|target| host(target)).all(|host| is_allowed(&host))
    }
}

impl Words {
    fn add(&mut self, word: &str) {
        let name = folded(word.trim_matches('*'));
        match (word.starts_with('*'), word.ends_with('*')) {
            (false, false) => drop(self.whole.insert(name)),
            (false, true) => self.beginnings.push(name),
            (true, false) => self.ends.push(name),
            (true, true) => self.parts.push(name),
        }
    }

    fn contains(&self, word: &str) -> bool {
        self.whole.contains(word)
            || self.beginnings.iter().any(|beginning| word.starts_with(beginning))
            || self.ends.iter().any(|end| word.ends_with(end))
            || self.parts.iter().any(|part| word.contains(part))
    }
}

impl Hosts {
    /// Whether a host, or one above it, is among these.
    fn contain(&self, host: &str) -> bool {
        let mut name = Some(host);
        while let Some(host) = name {
            if self.names.contains(host) {
                return true;
            }
            name = host.split_once('.').map(|(_, above)| above);
        }
        self.all
    }
}

/// A text in which the spellings of a word are the same: compatibility forms, case, and characters
/// that are not seen.
fn folded(text: &str) -> String {
    let is_invisible =
        |c: &char| matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}');
    text.chars().filter(|c| !is_invisible(c)).nfkc().flat_map(char::to_lowercase).collect()
}

/// The host of a link, in the form in which a browser asks for it. `None` for a link within the
/// site.
fn host(target: &str) -> Option<String> {
    let url = match target {
        target if target.starts_with("//") => Url::parse(&format!("https:{target}")),
        target if target.get(..4).is_some_and(|www| www.eq_ignore_ascii_case("www.")) => {
            Url::parse(&format!("https://{target}"))
        }
        target => Url::parse(target),
    };
    let url = url.ok()?;
    Some(url.host_str()?.trim_end_matches('.').to_owned())
}

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        let mut filter = Self::default();
        for (index, line) in text.lines().enumerate() {
            let error = |reason| FilterError { line: index + 1, reason };
            let rule = line.split('#').next().unwrap_or_default();
            let mut parts = rule.split_whitespace();
            let Some(verb) = parts.next() else { continue };
            let (Some(kind), Some(value), None) = (parts.next(), parts.next(), parts.next()) else {
                return Err(error(
                    "expected \"deny\" or \"allow\", \"word\" or \"link\", and one word or host",
                ));
            };
            let is_denied = match verb {
                "deny" => true,
                "allow" => false,
                _ => return Err(error("expected \"deny\" or \"allow\"")),
            };
            match kind {
                "word" => {
                    let name = value.trim_matches('*');
                    if name.is_empty() || !folded(name).chars().all(char::is_alphanumeric) {
                        return Err(error("a word has letters and digits, and may begin or end with *"));
                    }
                    (if is_denied { &mut filter.denied } else { &mut filter.allowed }).add(value);
                }
                "link" => {
                    let hosts = if is_denied { &mut filter.denied_links } else { &mut filter.allowed_links };
                    if value == "*" {
                        hosts.all = true;
                    } else {
                        let host =
                            host(&format!("//{value}")).filter(|_| !value.contains(['/', ':', '@', '*']));
                        hosts.names.insert(host.ok_or(error("a link is a host such as example.org, or *"))?);
                    }
                }
                _ => return Err(error("expected \"word\" or \"link\"")),
            }
        }
        Ok(filter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_in_all_spellings() {
        let filter: Filter =
            "deny word bad\ndeny word worse*\ndeny word *est\ndeny word *mid*\nallow word best # good"
                .parse()
                .unwrap();
        for text in [
            "bad",
            "so BAD!",
            "b\u{200b}ad",
            "ｂａｄ",
            "**b**ad",
            "`bad`",
            "worsening",
            "baddest",
            "amidst",
            "_worse_",
        ] {
            assert!(!filter.allows(text), "{text}");
        }
        for text in ["", "badly", "best", "The BEST", "ba d", "a bod", "https://bad-host.example"] {
            assert!(filter.allows(text) || text.starts_with("https"), "{text}");
        }
    }

    #[test]
    fn links_are_compared_by_their_hosts() {
        let filter: Filter =
            "deny link spam.example\nallow link ok.spam.example\ndeny link münchen.example".parse().unwrap();
        for text in [
            "https://spam.example",
            "http://SPAM.example:8080/x",
            "https://user@spam.example/",
            "https://www.spam.example.",
            "www.spam.example/x",
            "[x](//spam.example)",
            "![x](https://a.spam.example/x.png)",
            "<https://spam.example>",
            "https://xn--mnchen-3ya.example",
            "`https://spam.example`",
        ] {
            assert!(!filter.allows(text), "{text}");
        }
        for text in [
            "https://ok.spam.example",
            "https://notspam.example",
            "spam.example",
            "[x](/r/spam.example)",
            "me@spam.example",
        ] {
            assert!(filter.allows(text), "{text}");
        }
        let none: Filter = "deny link *\nallow link example.org".parse().unwrap();
        assert!(!none.allows("https://a.example") && none.allows("https://docs.example.org"));
        assert!(none.allows("[here](/r/lobby)"));
    }

    #[test]
    fn a_mistake_is_named_with_its_line() {
        for (text, line) in [
            ("deny", 1),
            ("\ndeny word", 2),
            ("deny word two words", 1),
            ("forbid word x", 1),
            ("deny text x", 1),
            ("# fine\n\ndeny word **", 3),
            ("deny word a-b", 1),
            ("deny link https://x.example/", 1),
            ("deny link *.example", 1),
        ] {
            assert_eq!(text.parse::<Filter>().unwrap_err().line, line, "{text}");
        }
        assert_eq!("\n # nothing\n".parse(), Ok(Filter::default()));
    }
}
