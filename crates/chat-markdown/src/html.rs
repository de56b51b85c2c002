//! The HTML as it grows: the only place that writes a tag, an attribute or a text, and that counts what they weigh.
//!
//! What is written is in the very form in which an HTML serialiser would write it, so the sanitiser has nothing to change.

use crate::limits::{ATTRIBUTE, ELEMENT, ESCAPE};
use crate::marks::Marks;

#[derive(Debug, Default)]
pub(crate) struct Html {
    written: String,
    weight: usize,
    marks: Marks,
}

impl Html {
    /// An element's start, by its name.
    pub(crate) fn start(&mut self, name: &'static str) {
        self.start_with(name, &[]);
    }

    /// An element's start with attributes. Only their values may come from a message.
    pub(crate) fn start_with(&mut self, name: &'static str, attributes: &[(&'static str, &str)]) {
        self.weight += ELEMENT + ATTRIBUTE * attributes.len();
        self.written.push('<');
        self.written.push_str(name);
        for (attribute, value) in attributes {
            self.written.push(' ');
            self.written.push_str(attribute);
            self.written.push_str("=\"");
            self.weight += ESCAPE * escape(&Marks::default().bounded(value), "\"", &mut self.written);
            self.written.push('"');
        }
        self.written.push('>');
    }

    /// An element's end.
    pub(crate) fn end(&mut self, name: &'static str) {
        self.written.push_str("</");
        self.written.push_str(name);
        self.written.push('>');
    }

    /// Text of a message.
    pub(crate) fn text(&mut self, text: &str) {
        self.weight += ESCAPE * escape(&self.marks.bounded(text), "", &mut self.written);
    }

    /// A line break in the HTML's own text, between two blocks.
    pub(crate) fn newline(&mut self) {
        self.written.push('\n');
    }

    pub(crate) fn len(&self) -> usize {
        self.written.len()
    }

    pub(crate) fn weight(&self) -> usize {
        self.weight
    }

    /// Take back what came after `len`.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.written.truncate(len);
    }

    pub(crate) fn into_string(self) -> String {
        self.written
    }
}

/// Append `text` in such a way that no HTML parser sees anything but text. Says how many characters cost the sanitiser dear:
/// those that are escaped, and those that begin like the no-break space, at which the serialiser stops as well.
pub(crate) fn escape(text: &str, also: &str, html: &mut String) -> usize {
    let also = also.as_bytes().first().copied();
    let bytes = text.as_bytes();
    let (mut dear, mut done) = (0, 0);
    for (i, &byte) in bytes.iter().enumerate() {
        let (instead, width) = match byte {
            b'&' => ("&amp;", 1),
            b'<' => ("&lt;", 1),
            b'>' => ("&gt;", 1),
            b'"' if also == Some(b'"') => ("&quot;", 1),
            // An HTML parser reads these two as the others anyway.
            b'\r' => ("\n", 1),
            0 => ("\u{fffd}", 1),
            0xC2 => {
                dear += 1;
                if bytes.get(i + 1) != Some(&0xA0) {
                    continue;
                }
                ("&nbsp;", 2)
            }
            _ => continue,
        };
        dear += 1;
        html.push_str(&text[done..i]);
        html.push_str(instead);
        done = i + width;
    }
    html.push_str(&text[done..]);
    dear
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_text_is_markup() {
        let mut html = Html::default();
        html.start_with("a", &[("href", "x\"><b>&")]);
        html.text("<b>\"&amp;\u{a0}©\r\0");
        html.end("a");
        assert_eq!(
            html.into_string(),
            "<a href=\"x&quot;&gt;&lt;b&gt;&amp;\">&lt;b&gt;\"&amp;amp;&nbsp;©\n\u{fffd}</a>"
        );
    }

    #[test]
    fn what_is_dear_is_counted() {
        let mut html = Html::default();
        html.start_with("a", &[("href", "&")]);
        html.start("br");
        html.text("a<©");
        assert_eq!(html.weight(), 2 * ELEMENT + ATTRIBUTE + 3 * ESCAPE);
    }
}
