//! Builds HTML. This is the only place that writes tags, attributes and text, and it counts their
//! weight.
//!
//! The output has the exact form of an HTML serialiser, so the sanitiser has nothing to change.

use crate::marks::Marks;

/// The weight of an element.
const ELEMENT: usize = 4;

/// The additional weight of an attribute.
const ATTRIBUTE: usize = 2;

/// The weight of a character that is, or may have to be, escaped.
const ESCAPE: usize = 3;

#[derive(Debug, Default)]
pub(crate) struct Html {
    written: String,
    weight: usize,
    marks: Marks,
}

impl Html {
    /// Writes the start tag of an element.
    pub(crate) fn start(&mut self, name: &'static str) {
        self.start_with(name, &[]);
    }

    /// Writes a start tag with attributes. Only the values may come from a message.
    pub(crate) fn start_with(&mut self, name: &'static str, attributes: &[(&'static str, &str)]) {
        self.weight += ELEMENT + ATTRIBUTE * attributes.len();
        self.written.push('<');
        self.written.push_str(name);
        for (attribute, value) in attributes {
            self.written.push(' ');
            self.written.push_str(attribute);
            self.written.push_str("=\"");
            self.weight += ESCAPE * escape(&Marks::default().limited(value), "\"", &mut self.written);
            self.written.push('"');
        }
        self.written.push('>');
    }

    /// Writes the end tag of an element.
    pub(crate) fn end(&mut self, name: &'static str) {
        self.written.push_str("</");
        self.written.push_str(name);
        self.written.push('>');
    }

    /// Writes text of a message.
    pub(crate) fn text(&mut self, text: &str) {
        self.weight += ESCAPE * escape(&self.marks.limited(text), "", &mut self.written);
    }

    /// Writes a line break between two blocks of the HTML.
    pub(crate) fn newline(&mut self) {
        self.written.push('\n');
    }

    pub(crate) fn len(&self) -> usize {
        self.written.len()
    }

    pub(crate) fn weight(&self) -> usize {
        self.weight
    }

    /// Removes everything after `len`.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.written.truncate(len);
    }

    pub(crate) fn into_string(self) -> String {
        self.written
    }
}

/// Appends `text` so that an HTML parser sees nothing but text. Returns the number of characters
/// that are costly for the sanitiser: those that are escaped, and those that begin like the
/// no-break space, at which the serialiser stops as well.
pub(crate) fn escape(text: &str, also: &str, html: &mut String) -> usize {
    let also = also.as_bytes().first().copied();
    let bytes = text.as_bytes();
    let (mut costly, mut done) = (0, 0);
    for (i, &byte) in bytes.iter().enumerate() {
        let (instead, width) = match byte {
            b'&' => ("&amp;", 1),
            b'<' => ("&lt;", 1),
            b'>' => ("&gt;", 1),
            b'"' if also == Some(b'"') => ("&quot;", 1),
            // an HTML parser replaces these two characters anyway
            b'\r' => ("\n", 1),
            0 => ("\u{fffd}", 1),
            0xC2 => {
                costly += 1;
                if bytes.get(i + 1) != Some(&0xA0) {
                    continue;
                }
                ("&nbsp;", 2)
            }
            _ => continue,
        };
        costly += 1;
        html.push_str(&text[done..i]);
        html.push_str(instead);
        done = i + width;
    }
    html.push_str(&text[done..]);
    costly
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped() {
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
    fn costly_characters_are_counted() {
        let mut html = Html::default();
        html.start_with("a", &[("href", "&")]);
        html.start("br");
        html.text("a<©");
        assert_eq!(html.weight(), 2 * ELEMENT + ATTRIBUTE + 3 * ESCAPE);
    }
}
