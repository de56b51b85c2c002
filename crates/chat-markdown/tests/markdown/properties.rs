//! Properties of any body.

use chat_markdown::{RemoteImages, Renderer};
use proptest::prelude::*;

use crate::allowed::assert_allowed;

/// Pieces that are special to some part: the Markdown parser, the link finder, the highlighter, or
/// a browser.
const PIECES: [&str; 86] = [
    "a",
    "b c",
    " ",
    "    ",
    "\t",
    "\n",
    "\n\n",
    "\r\n",
    "*",
    "**",
    "_",
    "~~",
    "`",
    "``",
    "```",
    "```js\n",
    "```html\n",
    "~~~ sh\n",
    "# ",
    "## ",
    "---",
    "===",
    "> ",
    ">",
    "- ",
    "* ",
    "1. ",
    "7) ",
    "- [ ] ",
    "- [x] ",
    "|",
    "|-|:-:|",
    "|a|b|\n|-|-:|\n",
    "[",
    "]",
    "(",
    ")",
    "](",
    "![",
    "](http://a)",
    "](https://a \"t\")",
    "](javascript:a)",
    "[a]: https://b\n",
    "[a]",
    "<",
    ">",
    "/>",
    "</",
    "<a href=\"",
    "<script>",
    "<svg><style>",
    "<!--",
    "-->",
    "<?",
    "<![CDATA[",
    "\"",
    "'",
    "&",
    "&lt;",
    "&#0;",
    "&#13;",
    "\0",
    "\u{a0}°",
    "\u{202e}",
    ":smile:",
    "https://a.b/c?d=e&f",
    "https://a.b/__c__/*d*",
    "www.a.bc",
    "a@b.cd",
    "C:\\_a\\*",
    "a/_b_",
    "+ ",
    "007. ",
    ">:",
    "\\",
    "重要",
    "：",
    "“",
    "。",
    "ب",
    "\u{301}\u{301}\u{301}",
    "*.a",
    "2*",
    "\u{fdd0}",
    "\u{fdda}\u{fddb}",
    "\u{fddc}",
];

/// Markup of all kinds, to be mixed with words.
const MARKUP: [&str; 60] = [
    " ",
    " ",
    " ",
    "\n",
    "\n",
    "\n\n",
    "*",
    "**",
    "_",
    "__",
    "~",
    "~~",
    "`",
    "``",
    "```",
    "```\n",
    "\n```\n",
    "~~~",
    "# ",
    "\n# ",
    "#",
    "\n---\n",
    "\n===\n",
    "\n> ",
    ">",
    "\n- ",
    "\n* ",
    "\n+ ",
    "\n1. ",
    "\n7) ",
    "\n- [ ] ",
    "|",
    "\n|",
    "|\n",
    "\n|-|:-:|\n",
    "\n|a|b|\n|-|-:|\n",
    "[",
    "]",
    "(",
    ")",
    "](",
    "](https://a.example/",
    "](https://a.example \"",
    "\")",
    "](/",
    "]: ",
    "<",
    ">",
    "<!--",
    "-->",
    "</",
    "<b ",
    "&",
    ";",
    "\\",
    "https://",
    "www.",
    "@",
    "：**",
    "    ",
];

/// Distinct words with markup between them.
fn words() -> impl Strategy<Value = (String, Vec<String>)> {
    prop::collection::vec((prop::sample::select(&MARKUP[..]), any::<bool>()), 1..40).prop_map(|pieces| {
        let (mut body, mut words) = (String::new(), Vec::new());
        for (i, (markup, has_word)) in pieces.into_iter().enumerate() {
            body.push_str(markup);
            if has_word {
                words.push(format!("w{i}x"));
                body.push_str(&words[words.len() - 1]);
            }
        }
        (body, words)
    })
}

fn body() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        9 => prop::sample::select(&PIECES[..]).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn only_allowed_html_is_written(body in body()) {
        for images in [RemoteImages::AsLinks, RemoteImages::Shown] {
            assert_allowed(&body, &Renderer::new(images).render(&body));
        }
    }

    #[test]
    fn any_characters_are_accepted(body in any::<String>()) {
        assert_allowed(&body, &Renderer::default().render(&body));
    }

    #[test]
    fn plain_words_are_kept(body in "[a-zA-Z][a-zA-Z0-9 ,!?'\"&%/é世\u{202e}]{0,200}") {
        let text = assert_allowed(&body, &Renderer::default().render(&body));
        prop_assert_eq!(text.trim(), body.trim());
    }

    /// Each word is visible, or part of a URL, or the language of code.
    #[test]
    fn no_word_is_lost((body, words) in words()) {
        let html = Renderer::default().render(&body);
        assert_allowed(&body, &html);
        for word in words {
            prop_assert!(html.contains(&word), "{} of {:?} in {:?}", word, body, html);
        }
    }

    #[test]
    fn no_character_is_lost_that_is_not_markup(body in "[a-z]([a-z0-9 +=&%$@^{};'\"/?,.()!|-]|\\\\[a-z0-9 +=&%$@^{};'\"/?,.()]){0,80}") {
        let text = assert_allowed(&body, &Renderer::default().render(&body));
        prop_assert_eq!(text.trim(), body.trim());
    }

    #[test]
    fn code_is_kept(code in "[a-z0-9<>&\"'/*\\\\(){}$ #\n]{0,300}", language in prop::sample::select(&["rust", "js", "sh", "py", "html", "css", "yaml", "toml", "json", "md", "docker", "x"][..])) {
        // an empty block would be shown as it was written
        let code = format!("a{code}");
        let body = format!("~~~{language}\n{code}\n~~~");
        let text = assert_allowed(&body, &Renderer::default().render(&body));
        prop_assert_eq!(text.trim_end(), code.trim_end());
    }
}
