use std::borrow::Cow;
use std::fmt;

use ammonia::Builder;

use crate::limits::MOST_MARKDOWN;
use crate::emoji;
use crate::html::Html;
use crate::literal::shielded;
use crate::plain::plain;
use crate::shape::is_hostile;
use crate::placeholder::{is_reserved, restored};
use crate::sanitiser::{EMOJI_CLASS, wall};
use crate::writer::write;

/// What becomes of an image in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RemoteImages {
    /// It becomes a link to it, labelled with its alternative text. Nobody's browser fetches anything until it is clicked.
    #[default]
    AsLinks,
    /// It is shown if its URL is `https`. Whoever serves it learns the address of everyone who reads the message.
    Shown,
}

/// Turns messages into HTML. One serves all tasks of a program; it holds no state between messages.
pub struct Renderer {
    images: RemoteImages,
    wall: Builder<'static>,
}

impl Renderer {
    /// A renderer that treats images so.
    pub fn new(images: RemoteImages) -> Self {
        Self { images, wall: wall(images) }
    }

    /// The HTML of a message's body: a fragment to put into a block element, at most
    /// [`most_html`](crate::most_html)`(body.len())` bytes.
    ///
    /// No body fails. What does not fit the bounds is shown as text, from the start of the block that does not.
    pub fn render(&self, body: &str) -> String {
        let body = normalised(body);
        if body.len() > MOST_MARKDOWN || is_hostile(&body) {
            return with_rest(String::new(), &body);
        }
        if let Some(emoji) = emoji::alone(&body) {
            return only_emoji(&emoji);
        }
        let body = shielded(&body);
        let (html, end) = write(&body, self.images);
        if html.is_empty() {
            // Nothing fits.
            return with_rest(html, &restored(&body));
        }
        let html = self.wall.clean(&html).to_string();
        with_rest(html, &restored(&body[end..]))
    }
}

impl Default for Renderer {
    fn default() -> Self {
        Self::new(RemoteImages::default())
    }
}

impl fmt::Debug for Renderer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Renderer").field("images", &self.images).finish_non_exhaustive()
    }
}

fn with_rest(mut html: String, rest: &str) -> String {
    plain(rest, &mut html);
    html
}

/// A paragraph of emoji alone. They come from the table of emoji, so there is nothing in it to sanitise.
fn only_emoji(emoji: &str) -> String {
    let mut html = Html::default();
    html.start_with("p", &[("class", EMOJI_CLASS), ("dir", "auto")]);
    html.text(emoji);
    html.end("p");
    html.newline();
    html.into_string()
}

/// The body with one kind of line break, and without the noncharacters that hide others from the parser.
fn normalised(body: &str) -> Cow<'_, str> {
    let mut body = Cow::Borrowed(body);
    if body.contains('\r') {
        body = Cow::Owned(body.replace("\r\n", "\n").replace('\r', "\n"));
    }
    if body.as_bytes().contains(&0xEF) && body.contains(is_reserved) {
        body = Cow::Owned(body.replace(is_reserved, "\u{fffd}"));
    }
    body
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The two walls on their own: the second must find nothing to do.
    fn first_and_second(body: &str, images: RemoteImages) -> (String, String) {
        let (first, _) = write(&shielded(&normalised(body)), images);
        let second = wall(images).clean(&first).to_string();
        (first, second)
    }

    #[test]
    fn the_sanitiser_finds_nothing_to_change() {
        let body = "*a* <b> [c](http://d \"e\") ![f](https://g \"h\") <i@j.k>\n\n7. l\n\n|m|\n|-:|\n\n```rust\nlet o;\n```";
        for images in [RemoteImages::AsLinks, RemoteImages::Shown] {
            let (first, second) = first_and_second(body, images);
            assert_eq!(first, second);
        }
    }

    proptest! {
        #[test]
        fn nor_does_it_anywhere(body in "([a*_~`#>|\\[\\]()!<&;:/\"\\-\\\\ \n\r\0\u{a0}]|http://|\\]\\(https://b|\n\n|\n```js\n|\n\\|-\\|){0,80}") {
            for images in [RemoteImages::AsLinks, RemoteImages::Shown] {
                let (first, second) = first_and_second(&body, images);
                prop_assert_eq!(first, second);
            }
        }
    }
}
