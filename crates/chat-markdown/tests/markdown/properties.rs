//! What holds for any body.

use chat_markdown::{RemoteImages, Renderer};
use proptest::prelude::*;

use crate::allowed::assert_allowed;

/// Pieces that mean something to somebody on the way: to the Markdown parser, the link finder, the highlighter, a browser.
const PIECES: [&str; 66] = [
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
];

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
    fn only_what_is_allowed_comes_out(body in body()) {
        for images in [RemoteImages::AsLinks, RemoteImages::Shown] {
            assert_allowed(&body, &Renderer::new(images).render(&body));
        }
    }

    #[test]
    fn any_characters_will_do(body in any::<String>()) {
        assert_allowed(&body, &Renderer::default().render(&body));
    }

    #[test]
    fn plain_words_are_kept(body in "[a-zA-Z][a-zA-Z0-9 ,!?'\"&%/é世\u{202e}]{0,200}") {
        let text = assert_allowed(&body, &Renderer::default().render(&body));
        prop_assert_eq!(text.trim(), body.trim());
    }

    #[test]
    fn code_is_kept(code in "[a-z0-9<>&\"'/*\\\\(){}$ #\n]{0,300}", language in prop::sample::select(&["rust", "js", "sh", "py", "html", "css", "yaml", "toml", "json", "md", "docker", "x"][..])) {
        let body = format!("~~~{language}\n{code}\n~~~");
        let text = assert_allowed(&body, &Renderer::default().render(&body));
        prop_assert_eq!(text.trim_end(), code.trim_end());
    }
}
