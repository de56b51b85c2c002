//! Blocks: their elements and direction, and what is shown if they are empty.

use std::ops::Range;

use pulldown_cmark::HeadingLevel;

use super::open::Open;
use super::state::{Begun, Writer};
use crate::placeholder::restored;

/// The direction is determined by the text.
const AUTO: (&str, &str) = ("dir", "auto");

impl Writer<'_> {
    /// Starts a block that contains blocks.
    pub(super) fn block(&mut self, name: &'static str, attributes: &[(&'static str, &str)]) {
        self.start_directed(name, attributes);
        self.stack.push(Open::Block { name, inherits: self.inherits });
        self.inherits = true;
    }

    /// Starts a block of text.
    pub(super) fn text_block(&mut self, name: &'static str) {
        self.start_directed(name, &[]);
        self.stack.push(Open::Element(name));
    }

    pub(super) fn start_directed(&mut self, name: &'static str, attributes: &[(&'static str, &str)]) {
        if self.inherits {
            return self.html.start_with(name, attributes);
        }
        let mut all = attributes.to_vec();
        all.push(AUTO);
        self.html.start_with(name, &all);
    }

    /// Remembers where an element begins that may turn out to be empty.
    pub(super) fn begin(&mut self, source: Range<usize>) {
        self.begun.push(Begun { html: self.html.len(), source, shown: self.shown });
    }

    /// Whether the last remembered element is empty. If so, it is replaced by its source: a lone
    /// `#` or `>` is text.
    pub(super) fn replaced_if_empty(&mut self) -> bool {
        let Some(begun) = self.begun.pop() else { return false };
        let source = restored(&self.body[begun.source]);
        if self.shown != begun.shown || source.trim().is_empty() {
            return false;
        }
        self.html.truncate(begun.html);
        self.written_paragraph(source.trim());
        // if the surrounding block has no other content, its markers are text, too
        self.shown = begun.shown;
        true
    }

    /// Writes a paragraph of text as it was written.
    pub(super) fn written_paragraph(&mut self, text: &str) {
        self.start_directed("p", &[]);
        self.count_text(text);
        for (i, line) in text.lines().enumerate() {
            if i > 0 {
                self.html.start("br");
            }
            self.html.text(line.trim());
        }
        self.html.end("p");
    }

    /// Only dashes make a rule: stars and underscores may be a censored word.
    pub(super) fn rule(&mut self, range: Range<usize>) {
        let source = restored(&self.body[range]);
        if source.trim_start().starts_with('-') {
            self.shown += 1;
            self.html.start("hr");
        } else {
            self.written_paragraph(source.trim());
        }
    }

    /// A line under a paragraph does not make it a heading: the line is text, or a rule.
    pub(super) fn heading(&mut self, level: HeadingLevel, range: Range<usize>) {
        let source = self.body[range.clone()].trim_end();
        if let Some((_, underline)) = source.rsplit_once('\n') {
            let text = underline.trim_end_matches(['-', '=']);
            let underline = underline[text.len()..].to_owned();
            self.start_directed("p", &[]);
            return self.stack.push(Open::Underlined(underline));
        }
        let name = heading(level);
        self.begin(range);
        self.start_directed(name, &[]);
        self.stack.push(Open::Heading(name));
    }

    pub(super) fn end_underlined(&mut self, underline: &str) {
        let is_rule = underline.len() > 2 && underline.starts_with('-');
        if !is_rule {
            self.html.start("br");
            self.html.text(underline);
        }
        self.html.end("p");
        if is_rule {
            self.html.start("hr");
        }
    }

    pub(super) fn end_code(&mut self, range: Range<usize>) {
        let Some((info, code)) = self.code.take() else { return };
        let code = restored(&code);
        let source = restored(&self.body[range]);
        if code.trim().is_empty() && !source.trim().is_empty() {
            return self.written_paragraph(source.trim());
        }
        self.shown += 1;
        self.highlighter.block(&info, &code, &mut self.html);
    }
}

fn heading(level: HeadingLevel) -> &'static str {
    match level {
        HeadingLevel::H1 => "h1",
        HeadingLevel::H2 => "h2",
        HeadingLevel::H3 => "h3",
        HeadingLevel::H4 => "h4",
        HeadingLevel::H5 => "h5",
        HeadingLevel::H6 => "h6",
    }
}
