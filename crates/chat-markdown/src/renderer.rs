use std::borrow::Cow;
use std::fmt;

use ammonia::Builder;

use crate::html::Html;
use crate::images::RemoteImages;
use crate::limits::MAX_MARKDOWN;
use crate::literal::shielded;
use crate::placeholder::{is_reserved, restored};
use crate::plain::plain;
use crate::sanitiser::sanitiser;
use crate::shape::is_hostile;
use crate::writer::write;
use crate::{classes, emoji};

/// Renders messages as HTML. All tasks of a program can share one renderer, which keeps no state
/// between messages.
pub struct Renderer {
    images: RemoteImages,
    sanitiser: Builder<'static>,
}

impl Renderer {
    /// A renderer with this treatment of images.
    pub fn new(images: RemoteImages) -> Self {
        Self { images, sanitiser: sanitiser(images) }
    }

    /// Renders the body of a message: a fragment for a block element, of at most
    /// [`max_html`](crate::max_html)`(body.len())` bytes.
    ///
    /// This never fails. What exceeds a limit is shown as text, from the start of the block that
    /// does.
    pub fn render(&self, body: &str) -> String {
        let body = normalised(body);
        if body.len() > MAX_MARKDOWN || is_hostile(&body) {
            return with_rest(String::new(), &body);
        }
        if let Some(emoji) = emoji::alone(&body) {
            return only_emoji(&emoji);
        }
        let body = shielded(&body);
        let (html, end) = write(&body, self.images);
        if html.is_empty() {
            // not even the first block fits
            return with_rest(html, &restored(&body));
        }
        let html = self.sanitiser.clean(&html).to_string();
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

/// A paragraph of emoji alone. They come from the table of emoji, so there is nothing to sanitise.
fn only_emoji(emoji: &str) -> String {
    let mut html = Html::default();
    html.start_with("p", &[("class", classes::EMOJI), ("dir", "auto")]);
    html.text(emoji);
    html.end("p");
    html.newline();
    html.into_string()
}

/// Normalises line breaks, and replaces the noncharacters that this crate uses as placeholders.
pub(crate) fn normalised(body: &str) -> Cow<'_, str> {
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

    /// The output of the writer and of the sanitiser, which must be equal.
    fn written_and_sanitised(body: &str, images: RemoteImages) -> (String, String) {
        let (first, _) = write(&shielded(&normalised(body)), images);
        let second = sanitiser(images).clean(&first).to_string();
        (first, second)
    }

    #[test]
    fn the_sanitiser_changes_nothing() {
        let body = "*a* <b> [c](http://d \"e\") ![f](https://g \"h\") <i@j.k>\n\n7. l\n\n|m|\n|-:|\n\n```rust\nlet o;\n```";
        for images in [RemoteImages::AsLinks, RemoteImages::Shown] {
            let (first, second) = written_and_sanitised(body, images);
            assert_eq!(first, second);
        }
    }

    proptest! {
        #[test]
        fn the_sanitiser_changes_nothing_in_random_bodies(body in "([a*_~`#>|\\[\\]()!<&;:/\"\\-\\\\ \n\r\0\u{a0}]|http://|\\]\\(https://b|\n\n|\n```js\n|\n\\|-\\|){0,80}") {
            for images in [RemoteImages::AsLinks, RemoteImages::Shown] {
                let (first, second) = written_and_sanitised(&body, images);
                prop_assert_eq!(first, second);
            }
        }
    }
}
