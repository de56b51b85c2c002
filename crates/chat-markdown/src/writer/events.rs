//! Dispatches the parser's events.

use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, Tag, TagEnd};

use super::open::Open;
use super::state::{Image, Writer};
use crate::placeholder::restored;
use crate::run::{linked, unlinked};

impl Writer<'_> {
    pub(super) fn event(&mut self, event: Event<'_>, range: Range<usize>) {
        if self.image.is_some() {
            return self.in_image(event);
        }
        match event {
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => match &mut self.code {
                Some((_, code)) => code.push_str(&text),
                None => self.run.push_str(&text),
            },
            event => {
                self.finish_run();
                self.markup(event, range);
            }
        }
    }

    fn markup(&mut self, event: Event<'_>, range: Range<usize>) {
        match event {
            Event::Start(tag) => self.start(tag, range),
            Event::End(end) => self.end(end, range),
            Event::Code(code) => {
                self.shown += 1;
                self.html.start_with("code", &[("dir", "ltr")]);
                self.html.text(&restored(&code));
                self.html.end("code");
            }
            Event::SoftBreak | Event::HardBreak => self.html.start("br"),
            Event::Rule => self.rule(range),
            Event::TaskListMarker(done) => {
                self.shown += 1;
                self.html.text(if done { "☑ " } else { "☐ " });
            }
            // text is handled above; other events belong to extensions that are off
            _ => {}
        }
    }

    /// Writes the collected text. The text of an HTML block includes its line breaks.
    fn finish_run(&mut self) {
        let run = std::mem::take(&mut self.run);
        if run.is_empty() {
            return;
        }
        self.count_text(&run);
        let run = run.strip_suffix('\n').unwrap_or(&run);
        for (i, line) in run.split('\n').enumerate() {
            if i > 0 {
                self.html.start("br");
            }
            if self.stack.is_in_a_link() {
                unlinked(line, &mut self.html);
            } else {
                linked(line, &mut self.html);
            }
        }
    }

    fn start(&mut self, tag: Tag<'_>, range: Range<usize>) {
        match tag {
            Tag::Paragraph | Tag::HtmlBlock => self.text_block("p"),
            Tag::Heading { level, .. } => self.heading(level, range),
            Tag::BlockQuote(_) => {
                if self.stack.has_room_for_blocks(1) {
                    self.begin(range);
                    self.block("blockquote", &[]);
                } else {
                    self.stack.push(Open::DeepBlock);
                }
            }
            Tag::List(first) => self.list(first, range),
            Tag::Item => self.item(range),
            Tag::CodeBlock(kind) => {
                let info = match kind {
                    CodeBlockKind::Fenced(info) => restored(&info).into_owned(),
                    CodeBlockKind::Indented => String::new(),
                };
                self.code = Some((info, String::new()));
            }
            Tag::Table(alignments) => {
                self.alignments = alignments;
                self.begin(range);
                self.html.start("table");
                self.stack.push(Open::Table);
            }
            Tag::TableHead => {
                self.column = 0;
                self.row_end = range.end;
                self.html.start("thead");
                self.html.start("tr");
                self.stack.push(Open::TableHead);
            }
            Tag::TableRow => {
                self.column = 0;
                self.row_end = range.end;
                self.element("tr");
            }
            Tag::TableCell => self.cell(),
            Tag::Emphasis => self.inline("em"),
            Tag::Strong => self.inline("strong"),
            Tag::Strikethrough => self.inline("del"),
            Tag::Link { link_type, dest_url, title, .. } => {
                self.link(link_type, &restored(&dest_url), &restored(&title));
            }
            Tag::Image { dest_url, title, .. } => {
                let (url, title) = (restored(&dest_url).into_owned(), restored(&title).into_owned());
                self.image = Some(Image { url, title, alt: String::new(), inner: 0 });
            }
            // extensions that are off; pushed so that their end events match
            Tag::FootnoteDefinition(_)
            | Tag::DefinitionList
            | Tag::DefinitionListTitle
            | Tag::DefinitionListDefinition
            | Tag::Superscript
            | Tag::Subscript
            | Tag::MetadataBlock(_) => self.stack.push(Open::DeepInline),
        }
    }

    fn end(&mut self, end: TagEnd, range: Range<usize>) {
        match end {
            TagEnd::CodeBlock => return self.end_code(range),
            TagEnd::TableCell => self.surplus_cells(&range),
            TagEnd::List(_) => {
                self.lists.pop();
            }
            _ => {}
        }
        match self.stack.pop() {
            Some(Open::Block { name, inherits }) => {
                self.inherits &= inherits;
                if name == "li" || !self.replaced_if_empty() {
                    self.html.end(name);
                }
            }
            Some(Open::Heading(name)) => {
                if !self.replaced_if_empty() {
                    self.html.end(name);
                }
            }
            Some(Open::Underlined(underline)) => self.end_underlined(&underline),
            Some(Open::Inline(name) | Open::Element(name)) => self.html.end(name),
            Some(Open::DeepBlock) => self.html.start("br"),
            Some(Open::TableHead) => {
                self.html.end("tr");
                self.html.end("thead");
                self.html.start("tbody");
            }
            Some(Open::Table) => {
                if !self.replaced_if_empty() {
                    self.html.end("tbody");
                    self.html.end("table");
                }
            }
            Some(Open::Link { refused: None, label }) => {
                if self.shown == label.shown {
                    self.count_text(&label.url);
                    self.html.text(&label.url);
                }
                self.html.end("a");
            }
            Some(Open::Link { refused: Some(end), .. }) => {
                self.count_text(&end);
                self.html.text(&end);
            }
            Some(Open::DeepInline) | None => {}
        }
    }

    fn inline(&mut self, name: &'static str) {
        if !self.stack.has_room_for_an_inline() {
            return self.stack.push(Open::DeepInline);
        }
        self.html.start(name);
        self.stack.push(Open::Inline(name));
    }
}
