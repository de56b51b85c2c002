//! Images.

use pulldown_cmark::{Event, Tag, TagEnd};

use super::links::in_brackets;
use super::state::{Image, Writer};
use crate::classes;
use crate::destination::Destination;
use crate::images::RemoteImages;
use crate::placeholder::restored;
use crate::run::{start_link, unlinked};

impl Writer<'_> {
    pub(super) fn in_image(&mut self, event: Event<'_>) {
        let Some(image) = &mut self.image else { return };
        match event {
            Event::Text(text) | Event::Code(text) | Event::Html(text) | Event::InlineHtml(text) => {
                image.alt.push_str(&restored(&text));
            }
            Event::SoftBreak | Event::HardBreak => image.alt.push(' '),
            Event::Start(Tag::Image { .. }) => image.inner += 1,
            Event::End(TagEnd::Image) if image.inner > 0 => image.inner -= 1,
            Event::End(TagEnd::Image) => {
                if let Some(image) = self.image.take() {
                    self.finish_image(&image);
                }
            }
            _ => {}
        }
    }

    pub(super) fn finish_image(&mut self, image: &Image) {
        let Image { url, title, alt, .. } = image;
        self.shown += 1;
        let label = if alt.trim().is_empty() { url } else { alt };
        let titled = |attributes: &mut Vec<(&'static str, _)>| {
            if !title.is_empty() {
                attributes.push(("title", title.as_str()));
            }
        };
        match Destination::parse(url) {
            Some(destination) if self.images == RemoteImages::Shown && destination.is_https() => {
                let mut attributes = vec![("src", destination.as_str()), ("alt", alt.as_str())];
                titled(&mut attributes);
                attributes.extend([("loading", "lazy"), ("referrerpolicy", "no-referrer")]);
                self.html.start_with("img", &attributes);
            }
            // links cannot be nested
            _ if self.stack.is_in_a_link() => unlinked(label, &mut self.html),
            Some(destination) => {
                let mut attributes = vec![("class", classes::IMAGE)];
                titled(&mut attributes);
                start_link(&destination, &attributes, &mut self.html);
                unlinked(label, &mut self.html);
                self.html.end("a");
            }
            None => {
                let written = format!("![{alt}]{}", in_brackets(url, title));
                self.html.text(&written);
            }
        }
    }
}
