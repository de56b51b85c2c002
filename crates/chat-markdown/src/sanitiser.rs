//! The second layer of protection. The output of the writer is safe by construction; the sanitiser
//! parses it as a browser does, and removes anything that should not be in it.

use std::collections::{HashMap, HashSet};

use ammonia::{Builder, UrlRelative};

use crate::classes;
use crate::code::{CLASSES, is_language_class};
use crate::destination::SCHEMES;
use crate::images::RemoteImages;
use crate::run::REL;

/// Elements whose direction depends on their text.
const BLOCKS: [&str; 12] = ["blockquote", "h1", "h2", "h3", "h4", "h5", "h6", "ol", "p", "td", "th", "ul"];

const TAGS: [&str; 26] = [
    "a",
    "blockquote",
    "br",
    "code",
    "del",
    "em",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "li",
    "ol",
    "p",
    "pre",
    "span",
    "strong",
    "table",
    "tbody",
    "td",
    "th",
    "thead",
    "tr",
    "ul",
];

pub(crate) fn sanitiser(images: RemoteImages) -> Builder<'static> {
    let mut tags = HashSet::from(TAGS);
    let mut attributes: HashMap<_, HashSet<_>> = BLOCKS.map(|block| (block, HashSet::from(["dir"]))).into();
    attributes.extend([
        ("a", HashSet::from(["href", "title", "class"])),
        ("code", HashSet::from(["class", "dir"])),
        ("li", HashSet::from(["class", "dir", "value"])),
        ("ol", HashSet::from(["dir", "start"])),
        ("pre", HashSet::from(["class", "dir"])),
        ("span", HashSet::from(["class"])),
    ]);
    let mut set = HashMap::from([("a", HashMap::from([("target", "_blank")]))]);
    if images == RemoteImages::Shown {
        tags.insert("img");
        attributes.insert("img", HashSet::from(["src", "alt", "title", "loading"]));
        set.insert("img", HashMap::from([("referrerpolicy", "no-referrer")]));
    }
    let align = || HashMap::from([("align", HashSet::from(["left", "center", "right"]))]);

    let mut builder = Builder::empty();
    builder
        .tags(tags)
        .tag_attributes(attributes)
        .tag_attribute_values(HashMap::from([("td", align()), ("th", align())]))
        .set_tag_attribute_values(set)
        .attribute_filter(|tag, attribute, value| is_allowed(tag, attribute, value).then(|| value.into()))
        .clean_content_tags(HashSet::from(["script", "style"]))
        .url_schemes(HashSet::from(SCHEMES))
        .url_relative(UrlRelative::Deny)
        .link_rel(Some(REL))
        .strip_comments(true);
    builder
}

/// Whether the value of an allowed attribute is allowed.
fn is_allowed(tag: &str, attribute: &str, value: &str) -> bool {
    match (tag, attribute) {
        ("a", "class") => value == classes::IMAGE,
        ("code", "class") => is_language_class(value),
        ("pre", "class") => value == classes::PLAIN,
        ("span", "class") => CLASSES.contains(&value),
        ("li", "class") => value == classes::TASK,
        ("code", "dir") => value == "ltr",
        ("pre", "dir") => matches!(value, "auto" | "ltr"),
        (_, "dir") => value == "auto",
        ("ol", "start") | ("li", "value") => {
            !value.is_empty() && value.len() < 10 && value.bytes().all(|byte| byte.is_ascii_digit())
        }
        ("img", "src") => value.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("https://")),
        ("img", "loading") => value == "lazy",
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleaned(html: &str) -> String {
        sanitiser(RemoteImages::Shown).clean(html).to_string()
    }

    #[test]
    fn other_html_is_removed() {
        for (html, left) in [
            ("<script>a</script>b", "b"),
            ("<svg><style>a</style></svg><math>b</math>", "b"),
            ("<p style='a' id='b' onclick='c' class='d'>e</p>", "<p>e</p>"),
            ("<span class='hl-string evil'>a</span>", "<span>a</span>"),
            ("<code class='language-a b'>a</code>", "<code>a</code>"),
            ("<ol start='-1' dir='rtl'></ol>", "<ol></ol>"),
            ("<li value='1a' class='md-image'></li>", "<li></li>"),
            (
                "<code dir='auto'></code><a dir='auto'></a>",
                "<code></code><a target=\"_blank\" rel=\"noopener noreferrer nofollow\"></a>",
            ),
            ("<td align='x'>", ""),
            ("<img alt='b' src='http://a'>", "<img alt=\"b\" referrerpolicy=\"no-referrer\">"),
            (
                "<a href='javascript:a' target='_top' rel='opener'>b</a>",
                "<a target=\"_blank\" rel=\"noopener noreferrer nofollow\">b</a>",
            ),
        ] {
            assert_eq!(cleaned(html), left, "{html}");
        }
    }

    #[test]
    fn images_are_removed_unless_they_are_shown() {
        assert_eq!(sanitiser(RemoteImages::AsLinks).clean("<img src='https://a' alt='b'>").to_string(), "");
    }
}
