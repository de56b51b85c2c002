//! Bodies that are made to be expensive stay within the limits.

use std::thread;

use chat_markdown::{MAX_BLOCKS, MAX_MARKDOWN, MAX_URL, RemoteImages, Renderer, max_html};

use crate::allowed::assert_allowed;
use crate::hostile::hostile;

/// The stack of a runtime's worker thread.
const STACK: usize = 2 * 1024 * 1024;

#[test]
fn hostile_bodies_stay_within_the_limits_and_the_stack() {
    let all = thread::Builder::new().stack_size(STACK).spawn(|| {
        for (name, body) in hostile() {
            assert!((MAX_MARKDOWN - 4 * 1024..=MAX_MARKDOWN).contains(&body.len()), "{name}: {}", body.len());
            for images in [RemoteImages::AsLinks, RemoteImages::Shown] {
                assert_allowed(&body, &Renderer::new(images).render(&body));
            }
        }
    });
    all.unwrap().join().unwrap();
}

#[test]
fn a_longer_body_is_shown_as_it_was_written() {
    let body = format!("**a**\n<b>{}", "c".repeat(MAX_MARKDOWN));
    let html = Renderer::default().render(&body);
    assert!(html.starts_with("<pre class=\"md-plain\" dir=\"auto\">**a**\n&lt;b&gt;c"));
    assert_eq!(assert_allowed(&body, &html), body);

    let worst = "\u{a0}&".repeat(MAX_MARKDOWN);
    assert!(Renderer::default().render(&worst).len() <= max_html(worst.len()));
}

#[test]
fn text_beyond_the_limit_is_plain_from_its_block_on() {
    let (fits, does_not) = ("**a**\n\n*b*\n\n", "*c* ".repeat(5_000));
    let html = Renderer::default().render(&format!("{fits}{does_not}"));
    let start = "<p dir=\"auto\"><strong>a</strong></p>\n<p dir=\"auto\"><em>b</em></p>\n<pre class=\"md-plain\" dir=\"auto\">*c* *c*";
    assert!(html.starts_with(start), "{}", &html[..200]);
    assert_eq!(html.matches("*c*").count(), 5_000);
}

#[test]
fn blocks_that_are_too_deep_lose_only_their_markup() {
    let body = format!("{}a", "> ".repeat(MAX_BLOCKS + 10));
    let html = Renderer::default().render(&body);
    assert_eq!(html.matches("<blockquote").count(), MAX_BLOCKS);
    assert_eq!(assert_allowed(&body, &html).trim(), "a");

    let items: String = (0..MAX_BLOCKS).map(|i| format!("{}- item{i}\n", "  ".repeat(i))).collect();
    let html = Renderer::default().render(&items);
    let text = assert_allowed(&items, &html);
    assert_eq!(html.matches("<ul").count(), MAX_BLOCKS / 2);
    let words: Vec<_> =
        text.split("item").skip(1).map(|word| word.trim().parse::<usize>().unwrap()).collect();
    assert_eq!(words, (0..MAX_BLOCKS).collect::<Vec<_>>());
}

#[test]
fn much_deeper_blocks_are_not_parsed() {
    let body = format!("{}a", ">".repeat(30_000));
    assert_eq!(assert_allowed(&body, &Renderer::default().render(&body)), body);
}

#[test]
fn hidden_characters_count_once() {
    // a placeholder takes three bytes instead of one, which must not loosen the limit
    for piece in ["http://a/_*", "C:\\_", "2*3 ", "&a;"] {
        let body = piece.repeat(MAX_MARKDOWN / piece.len());
        assert_allowed(&body, &Renderer::default().render(&body));
    }
}

#[test]
fn a_definition_is_text() {
    for body in ["[a]: https://b\n[c]: /d", "[a] [b][a] [c]\n[a]: /d\n[c]: e 'f'"] {
        assert_eq!(assert_allowed(body, &Renderer::default().render(body)).trim(), body);
    }
}

#[test]
fn a_url_that_is_too_long_is_text() {
    let url = format!("http://a/{}", "b".repeat(MAX_URL));
    for body in [url.clone(), format!("<{url}>"), format!("[c]({url})"), format!("![c]({url})")] {
        let html = Renderer::new(RemoteImages::Shown).render(&body);
        assert!(!html.contains("<a") && !html.contains("<img"));
        assert_eq!(assert_allowed(&body, &html).trim(), body);
    }
}
