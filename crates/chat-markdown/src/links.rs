//! Bare links in a body: URLs with a scheme, hosts that begin with `www.`, and mail addresses. They
//! are found before Markdown is parsed, so that a URL is one unit whatever characters it contains.

use std::ops::Range;

use unicode_normalization::char::is_combining_mark;

use crate::script::{ends_link, is_spaceless};

/// The maximum number of bytes before the `@` of a mail address.
const MAX_LOCAL_PART: usize = 64;

/// All bare links of a body, in order.
pub(crate) fn bare_links(body: &str) -> Vec<Range<usize>> {
    let bytes = body.as_bytes();
    let mut links: Vec<Range<usize>> = Vec::new();
    let mut at = 0;
    let mut free_from = 0;
    while at < bytes.len() {
        let link = match bytes[at] {
            b':' => url(body, free_from, at),
            b'w' | b'W' => host(body, free_from, at),
            b'@' => mail(body, free_from, at),
            _ => None,
        };
        match link {
            Some(link) => {
                at = link.end;
                free_from = link.end;
                links.push(link);
            }
            None => at += 1,
        }
    }
    links
}

/// A URL whose scheme ends at this colon.
fn url(body: &str, free_from: usize, colon: usize) -> Option<Range<usize>> {
    let bytes = body.as_bytes();
    if !bytes[colon..].starts_with(b"://") {
        return None;
    }
    let start = [5, 4].into_iter().filter_map(|length| colon.checked_sub(length)).find(|start| {
        *start >= free_from
            && matches!(&bytes[*start..colon], scheme if scheme.eq_ignore_ascii_case(b"http") || scheme.eq_ignore_ascii_case(b"https"))
    })?;
    if start > free_from && bytes[start - 1].is_ascii_alphanumeric() {
        return None;
    }
    let end = end_of_url(body, start, colon + 3)?;
    Some(start..end)
}

/// A URL without a scheme.
fn host(body: &str, free_from: usize, start: usize) -> Option<Range<usize>> {
    let bytes = body.as_bytes();
    if !bytes[start..].get(..4).is_some_and(|www| www.eq_ignore_ascii_case(b"www.")) {
        return None;
    }
    let before = body[free_from..start].chars().next_back();
    if before.is_some_and(|c| {
        (c.is_alphanumeric() && !is_spaceless(c)) || matches!(c, '.' | '/' | '-' | '@' | ':' | '\\' | '=')
    }) {
        return None;
    }
    let end = end_of_url(body, start, start)?;
    // a name and a top-level domain must follow
    let host = body.get(start + 4..end)?.split(['/', '?', '#']).next().unwrap_or_default();
    host.split_once('.').filter(|(name, rest)| !name.is_empty() && !rest.is_empty())?;
    Some(start..end)
}

/// The end of the URL whose host begins here; `None` if there is no host.
fn end_of_url(body: &str, start: usize, host_start: usize) -> Option<usize> {
    let host_end = host_start + host_length(&body[host_start..]);
    let mut end = host_end;
    if matches!(body.as_bytes().get(host_end), Some(b'/' | b'?' | b'#')) {
        end += path_length(&body[host_end..], closing_of(&body[..start]));
    }
    while let Some(last) = last_of_sentence(&body[host_start..end]) {
        end -= last.len_utf8();
    }
    let first = body[host_start..end].chars().next()?;
    (first.is_alphanumeric() || first == '[').then_some(end)
}

fn host_length(text: &str) -> usize {
    if text.starts_with('[') {
        let address = |c: char| c.is_ascii_hexdigit() || matches!(c, '[' | ':' | '.' | '%');
        let length = text.find(|c| !address(c)).unwrap_or(0);
        if text[length..].starts_with(']') {
            let port = text[length + 1..].find(|c: char| c != ':' && !c.is_ascii_digit());
            return port.map_or(text.len(), |port| length + 1 + port);
        }
        return 0;
    }
    let of_host = |c: char| {
        c.is_alphanumeric() || matches!(c, '-' | '.' | '_' | ':' | '@' | '%') || is_combining_mark(c)
    };
    let length = text.find(|c| !of_host(c)).unwrap_or(text.len());
    // a top-level domain that begins in Latin letters does not end in another script: text follows
    // the host
    let label = text[..length].rfind('.').map_or(0, |dot| dot + 1);
    match text[label..length].find(is_spaceless) {
        Some(length) if length > 0 && text[label..].starts_with(|c: char| c.is_ascii_alphanumeric()) => {
            label + length
        }
        _ => length,
    }
}

/// What ends a URL after this text: the same emphasis or quotation mark that precedes it.
fn closing_of(before: &str) -> &str {
    let last = before.chars().next_back().filter(|c| matches!(c, '*' | '_' | '~' | '\''));
    last.map_or("", |last| &before[before.trim_end_matches(last).len()..])
}

/// The length of path, query and fragment.
fn path_length(text: &str, closing: &str) -> usize {
    let mut round = 0_usize;
    let mut curly = 0_usize;
    let mut squares = Vec::new();
    for (at, c) in text.char_indices() {
        let rest = &text[at..];
        let ends = match c {
            '<' | '>' | '"' | '`' | '|' | '\\' => true,
            '(' => {
                round += 1;
                false
            }
            ')' if round == 0 => true,
            ')' => {
                round -= 1;
                false
            }
            '{' => {
                curly += 1;
                false
            }
            '}' if curly == 0 => true,
            '}' => {
                curly -= 1;
                false
            }
            '[' => {
                squares.push(at);
                false
            }
            ']' => match squares.pop() {
                // the text of a Markdown link
                Some(open) if rest[1..].starts_with(['(', '[']) => return open,
                open => open.is_none(),
            },
            ',' | ';' => {
                let next = rest.as_bytes().get(1..).unwrap_or_default();
                [&b"http://"[..], b"https://"].iter().any(|scheme| {
                    next.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
                })
            }
            '*' | '_' | '~' | '\'' => {
                let is_run = |rest: &str| !rest.starts_with(c) && !text[..at].ends_with(c);
                let rest = rest.strip_prefix(closing).filter(|_| !closing.is_empty());
                rest.is_some_and(|rest| is_run(rest) && is_after_link(rest))
            }
            c => c.is_ascii_whitespace() || c.is_control() || (!c.is_ascii() && ends_link(c)),
        };
        if ends {
            return at;
        }
    }
    text.len()
}

/// Whether a sentence can continue like this after a link.
fn is_after_link(rest: &str) -> bool {
    rest.chars().next().is_none_or(|c| c.is_whitespace() || !c.is_ascii() || ".,;:!?)]}'\"*_~".contains(c))
}

/// The last character of a possible URL if it belongs to the surrounding sentence.
fn last_of_sentence(url: &str) -> Option<char> {
    url.chars().next_back().filter(|c| match c {
        '.' | ',' | ':' | ';' | '!' | '?' | '\'' | '(' | '[' | '{' | '\u{fe0f}' | '\u{200d}' => true,
        // the end of emphasis, unless the emphasis began in the URL
        '*' | '_' | '~' => url.matches(*c).count() % 2 == 1,
        c => !c.is_ascii() && !c.is_alphanumeric() && !is_combining_mark(*c),
    })
}

/// A mail address whose `@` is here.
fn mail(body: &str, free_from: usize, at: usize) -> Option<Range<usize>> {
    let bytes = body.as_bytes();
    let of_local_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"._%+-".contains(byte);
    let length = bytes[free_from..at]
        .iter()
        .rev()
        .take(MAX_LOCAL_PART + 1)
        .take_while(|byte| of_local_part(byte))
        .count();
    let local = &body[at - length..at];
    let local = local.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    if local.is_empty() || local.len() > MAX_LOCAL_PART || local.ends_with('.') {
        return None;
    }
    let mut start = at - local.len();
    if body[free_from..start]
        .chars()
        .next_back()
        .is_some_and(|c| (c.is_alphanumeric() && !is_spaceless(c)) || matches!(c, '@' | '/' | '\\'))
    {
        return None;
    }
    let of_domain = |byte: &u8| byte.is_ascii_alphanumeric() || b".-".contains(byte);
    let length = bytes[at + 1..].iter().take_while(|byte| of_domain(byte)).count();
    let domain = body[at + 1..at + 1 + length].trim_end_matches(['.', '-']);
    let end = at + 1 + domain.len();
    let (first, last) = (domain.split('.').next()?, domain.rsplit('.').next()?);
    // `name@2x.png` is an image of twice the size
    let is_scale =
        first.strip_suffix('x').is_some_and(|scale| scale.bytes().all(|byte| byte.is_ascii_digit()));
    let is_domain = first.len() < domain.len()
        && !is_scale
        && domain
            .split('.')
            .all(|label| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-'))
        && last.len() >= 2
        && last.bytes().all(|byte| byte.is_ascii_alphabetic());
    let mut after = body[end..].chars();
    let is_more = match after.next() {
        // the address of a repository: `git@host.example:path`
        Some(':') => after.next().is_some_and(|c| !c.is_whitespace()),
        Some(c) => matches!(c, '@' | '/' | '_') || (c.is_alphanumeric() && !is_spaceless(c)),
        None => false,
    };
    if !is_domain || is_more {
        return None;
    }
    const SCHEME: &str = "mailto:";
    if let Some(scheme) = start.checked_sub(SCHEME.len()).filter(|scheme| *scheme >= free_from)
        && body.get(scheme..start).is_some_and(|written| written.eq_ignore_ascii_case(SCHEME))
    {
        start = scheme;
    }
    Some(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(body: &str) -> Vec<&str> {
        bare_links(body).into_iter().map(|link| &body[link]).collect()
    }

    #[test]
    fn a_url_is_one_unit() {
        for url in [
            "https://github.com/python/cpython/blob/main/Lib/json/__init__.py#L10",
            "https://a.example/?q=*a*&r=_b_",
            "HTTP://a.example/k_(l)",
            "http://[::1]:80/x",
            "https://user:pw@a.example:8080/x",
            "https://a.example/?a[]=1&b[]=2",
            "https://a.example/{id}/x",
            "https://a.example/a,b;c:d@e!f$g'h+i=j%20k~l",
            "https://zh.wikipedia.org/wiki/中国",
            "https://en.wikipedia.org/wiki/Foo–bar",
            "https://例子.测试/路径",
            "http://localhost:3000",
            "www.example.com/a_b_c",
        ] {
            for around in [
                "{}",
                "see {} there",
                "({})",
                "[{}]",
                "*{}*",
                "**{}**",
                "_{}_",
                "~~{}~~",
                "'{}'",
                "\"{}\"",
                "<{}>",
                "{}.",
                "{}...",
                "{}?!",
                "|{}|",
            ] {
                assert_eq!(found(&around.replace("{}", url)), [url], "{around}");
            }
        }
    }

    #[test]
    fn punctuation_of_any_script_ends_a_url() {
        for (body, link) in [
            ("参见https://example.com。谢谢", "https://example.com"),
            ("参见https://example.com/x。谢谢", "https://example.com/x"),
            ("https://example.com，谢谢", "https://example.com"),
            ("https://example.com请看", "https://example.com"),
            ("https://example.com:8080请看", "https://example.com:8080"),
            ("https://example.com．cn", "https://example.com"),
            ("https://example.com/x！？", "https://example.com/x"),
            ("“https://example.com/x”", "https://example.com/x"),
            ("‘https://example.com/x’。", "https://example.com/x"),
            ("„https://example.com/x“", "https://example.com/x"),
            ("«https://example.com/x»", "https://example.com/x"),
            ("« https://example.com/x »", "https://example.com/x"),
            ("（https://example.com/x）", "https://example.com/x"),
            ("「https://example.com/x」です", "https://example.com/x"),
            ("https://example.com/x…", "https://example.com/x"),
            ("https://example.com…", "https://example.com"),
            ("https://example.com/x – and", "https://example.com/x"),
            ("https://example.com/x—", "https://example.com/x"),
            ("https://example.com/x، ثم", "https://example.com/x"),
            ("https://example.com/x؟", "https://example.com/x"),
            ("https://example.com/x।", "https://example.com/x"),
            ("https://example.com/x😀", "https://example.com/x"),
            ("https://example.com😀", "https://example.com"),
            ("https://example.com/\u{202e}moc", "https://example.com/"),
            ("**https://example.com/x**请看", "https://example.com/x"),
            ("['https://a.example/x','y']", "https://a.example/x"),
        ] {
            assert_eq!(found(body), [link], "{body}");
        }
        assert_eq!(
            found("https://a.example,https://b.example/c,http://d.example"),
            ["https://a.example", "https://b.example/c", "http://d.example"]
        );
    }

    #[test]
    fn markdown_links_end_a_url() {
        assert_eq!(
            found("[https://a.example](https://b.example \"t\")"),
            ["https://a.example", "https://b.example"]
        );
        assert_eq!(
            found("https://a.example/[b](https://c.example)"),
            ["https://a.example/", "https://c.example"]
        );
    }

    #[test]
    fn mail_addresses_are_links() {
        for mail in
            ["ana@example.com", "first.last+tag@mail.example.co", "mailto:ana@example.com", "a_b-c@x-y.org"]
        {
            for around in ["{}", "write to {}.", "<{}>", "({})", "邮箱{}谢谢", "{}: hello", "*{}*", "{},"]
            {
                assert_eq!(found(&around.replace("{}", mail)), [mail], "{around}");
            }
        }
    }

    #[test]
    fn other_text_is_not_a_link() {
        for text in [
            "https://",
            "http://.",
            "http:///x",
            "xhttps://a",
            "ftp://a.example",
            "https:a",
            "www.",
            "www.example",
            "awww.example.com",
            "a@b",
            "@ana",
            "ana@",
            "pkg@1.2.3",
            "icon@2x.png",
            "git@github.com:a/b.git",
            "a@b@c.example",
            "a@-b.example",
            "é@example.com",
            "ana@example..com",
            "n.example",
            "a/www.example.com",
        ] {
            assert_eq!(found(text), [""; 0], "{text}");
        }
    }
}
