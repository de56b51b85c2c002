//! The text in source files that users see: string literals, and the comments from which clap
//! generates `--help`.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// Attributes whose strings users see.
const SHOWN: [&str; 8] = ["error", "command", "arg", "clap", "group", "value", "utoipa", "schema"];

/// Derives that turn documentation comments into `--help`.
const CLAP: [&str; 4] = ["Parser", "Args", "Subcommand", "ValueEnum"];

/// A text with the number of its line.
pub(crate) type Found = (usize, String);

/// The text in a Rust file that users see, without that of tests.
pub(crate) fn in_rust(source: &str) -> Vec<Found> {
    let tokens: TokenStream = source.parse().unwrap();
    let mut found = Vec::new();
    walk(tokens, false, &mut found);
    found
}

/// The attributes of an item, collected before its body.
#[derive(Default)]
struct Item {
    docs: Vec<Found>,
    is_clap: bool,
    is_test: bool,
}

fn walk(tokens: TokenStream, in_clap: bool, found: &mut Vec<Found>) {
    let mut tokens = tokens.into_iter().peekable();
    let mut item = Item::default();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '#' => {
                let is_bang =
                    |next: &TokenTree| matches!(next, TokenTree::Punct(punct) if punct.as_char() == '!');
                let is_inner = tokens.next_if(is_bang).is_some();
                match tokens.next() {
                    Some(TokenTree::Group(attribute)) if !is_inner => note(&attribute, &mut item, found),
                    _ => {}
                }
            }
            TokenTree::Group(group) => {
                if !item.is_test {
                    walk(group.stream(), in_clap || item.is_clap, found);
                }
                if group.delimiter() == Delimiter::Brace {
                    end(&mut item, in_clap, found);
                }
            }
            TokenTree::Punct(punct) if punct.as_char() == ';' => end(&mut item, in_clap, found),
            TokenTree::Punct(punct) if punct.as_char() == ',' && in_clap => end(&mut item, in_clap, found),
            TokenTree::Literal(literal) if !item.is_test => found.extend(text(&literal)),
            _ => {}
        }
    }
    end(&mut item, in_clap, found);
}

/// Ends an item. Users see its comments if clap reads them.
fn end(item: &mut Item, in_clap: bool, found: &mut Vec<Found>) {
    let item = std::mem::take(item);
    if (in_clap || item.is_clap) && !item.is_test {
        found.extend(item.docs);
    }
}

/// Adds an attribute to the item.
fn note(attribute: &Group, item: &mut Item, found: &mut Vec<Found>) {
    let content = attribute.stream();
    let name = content.clone().into_iter().next().map(|name| name.to_string()).unwrap_or_default();
    match &*name {
        "doc" => all(content, &mut item.docs),
        "derive" => {
            let derives = content.to_string();
            let names = || derives.split(|c: char| !c.is_alphanumeric());
            item.is_clap |= names().any(|name| CLAP.contains(&name));
        }
        "cfg" => {
            let condition = content.to_string();
            item.is_test |= condition.split(|c: char| !c.is_alphanumeric()).any(|word| word == "test");
        }
        name if SHOWN.contains(&name) => all(content, found),
        _ => {}
    }
}

/// All strings, also in nested groups.
fn all(tokens: TokenStream, found: &mut Vec<Found>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => all(group.stream(), found),
            TokenTree::Literal(literal) => found.extend(text(&literal)),
            _ => {}
        }
    }
}

/// The text of a string literal, with a space in place of each escape.
fn text(literal: &proc_macro2::Literal) -> Option<Found> {
    let source = literal.to_string();
    let (prefix, rest) = source.split_once('"')?;
    if !["", "r", "b", "c", "br", "cr"].contains(&prefix.trim_end_matches('#')) {
        return None;
    }
    let body = &rest[..rest.rfind('"')?];
    let (mut text, mut letters) = (String::new(), body.chars());
    while let Some(letter) = letters.next() {
        match letter {
            '\\' if !prefix.contains('r') => match letters.next() {
                // a backslash at the end of a line joins it with the next
                Some('\n') => {
                    let rest = letters.as_str().trim_start();
                    letters = rest.chars();
                }
                _ => text.push(' '),
            },
            '\n' => text.push(' '),
            other => text.push(other),
        }
    }
    Some((literal.span().start().line, text))
}

/// The string literals of a JavaScript file.
pub(crate) fn in_javascript(source: &str) -> Vec<Found> {
    let letters: Vec<char> = source.chars().collect();
    let (mut found, mut at, mut line) = (Vec::new(), 0, 1);
    // the letter before a slash decides whether it is a division or a regular expression
    let mut before = '\n';
    while at < letters.len() {
        let (letter, next) = (letters[at], letters.get(at + 1).copied());
        let end = match (letter, next) {
            ('/', Some('/')) => past(&letters, at, |rest| rest.first() == Some(&'\n'), 0),
            ('/', Some('*')) => past(&letters, at + 2, |rest| rest.starts_with(&['*', '/']), 2),
            ('/', _) if !(before.is_alphanumeric() || matches!(before, ')' | ']' | '_' | '$')) => {
                let mut in_class = false;
                let mut is_end = |rest: &[char]| {
                    match rest[0] {
                        '[' => in_class = true,
                        ']' => in_class = false,
                        _ => {}
                    }
                    rest[0] == '/' && !in_class
                };
                past(&letters, at + 1, &mut is_end, 1)
            }
            ('"' | '\'' | '`', _) => {
                let end = past(&letters, at + 1, |rest| rest[0] == letter, 1);
                let text: String = letters[at + 1..end - 1].iter().collect();
                found.push((line, text.replace("\\n", " ").replace(['\\', '\n'], "")));
                end
            }
            _ => at + 1,
        };
        line += letters[at..end].iter().filter(|letter| **letter == '\n').count();
        before = if letter.is_whitespace() { before } else { letters[end - 1] };
        at = end;
    }
    found
}

/// The end of a token: `extra` letters after the first position where `is_end` holds. Escapes are
/// skipped.
fn past(letters: &[char], mut at: usize, mut is_end: impl FnMut(&[char]) -> bool, extra: usize) -> usize {
    while at < letters.len() {
        if letters[at] == '\\' {
            at += 2;
        } else if is_end(&letters[at..]) {
            return at + extra;
        } else {
            at += 1;
        }
    }
    letters.len()
}

/// The text of an HTML page and of its attributes, line by line, without comments.
pub(crate) fn in_html(source: &str) -> Vec<Found> {
    let mut in_comment = false;
    let visible = |line: &str| {
        let mut kept = String::new();
        let mut rest = line;
        while let Some((before, after)) = rest.split_once(if in_comment { "-->" } else { "<!--" }) {
            if !in_comment {
                kept.push_str(before);
            }
            in_comment = !in_comment;
            rest = after;
        }
        if !in_comment {
            kept.push_str(rest);
        }
        kept
    };
    let lines: Vec<_> = source.lines().map(visible).collect();
    (1..).zip(lines).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(found: Vec<Found>) -> Vec<String> {
        found.into_iter().map(|(_, text)| text.trim().to_owned()).collect()
    }

    #[test]
    fn visible_text_of_rust() {
        let source = r##"
            //! not shown
            /// not shown
            #[derive(Debug, thiserror::Error)]
            enum Fault { /// not shown
                #[error("shown 1")] Broken }
            /// shown 4
            #[derive(clap::Parser)]
            struct Options { /// shown 2
                #[arg(long, help_heading = "shown 3")] listen: String,
                /// shown 5
                #[cfg(unix)] socket: String }
            /// not shown
            #[must_use = "not shown"]
            fn f() { tracing::info!("shown 6\n{x}"); let y = b"shown 7"; let z = r#"shown \d"#; 'a': loop {} }
            #[cfg(test)]
            mod tests { const X: &str = "not shown"; }
            #[cfg(test)]
            const Y: &str = "not shown";
            const Z: &str = "shown 8, \
                in two lines";
        "##;
        let mut found = texts(in_rust(source));
        found.sort();
        assert_eq!(found[0], "shown 1");
        assert!(found.iter().all(|text| text.starts_with("shown") || text.is_empty()), "{found:?}");
        assert!(found.contains(&"shown 8, in two lines".to_owned()), "{found:?}");
        assert_eq!(found.len(), 9, "{found:?}");
    }

    #[test]
    fn visible_text_of_javascript() {
        let source = "// 'no'\n/* \"no\" */ const a = 'it\\'s', b = x / 2, c = /'[/']/.test(`${d} e`); // `no`\nf(\"g\");";
        assert_eq!(texts(in_javascript(source)), ["it's", "${d} e", "g"]);
        assert_eq!(in_javascript(source)[2].0, 3);
    }

    #[test]
    fn visible_text_of_html() {
        assert_eq!(
            texts(in_html("<p title=\"a\">b<!-- no -->c\n<!-- no\nno -->d")),
            ["<p title=\"a\">bc", "", "d"]
        );
    }
}
