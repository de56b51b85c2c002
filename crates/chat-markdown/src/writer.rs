//! From the parser's events to HTML.

use std::ops::Range;

use pulldown_cmark::{Alignment, CodeBlockKind, Event, HeadingLevel, LinkType, Options, Parser, Tag, TagEnd};

use crate::bounds::{MOST_WEIGHT, most_html};
use crate::code::Highlighter;
use crate::destination::Destination;
use crate::html::Html;
use crate::open::{Open, Stack};
use crate::renderer::RemoteImages;
use crate::run::{linked, start_link, unlinked};
use crate::wall::IMAGE_CLASS;

const OPTIONS: Options =
    Options::ENABLE_TABLES.union(Options::ENABLE_STRIKETHROUGH).union(Options::ENABLE_TASKLISTS);

/// The HTML of a body, as far as the bounds go: up to where in the body that is.
pub(crate) fn write(body: &str, images: RemoteImages) -> (String, usize) {
    let mut writer = Writer {
        images,
        html: Html::default(),
        stack: Stack::default(),
        run: String::new(),
        code: None,
        image: None,
        alignments: Vec::new(),
        column: 0,
        highlighter: Highlighter::default(),
    };
    let mut block = Block::default();
    for (event, range) in Parser::new_ext(body, OPTIONS).into_offset_iter() {
        if range.start >= block.range.end {
            block = Block { html: writer.html.len(), range };
        }
        let ends = matches!(event, Event::End(_) | Event::Rule);
        writer.event(event);
        if writer.html.weight() > MOST_WEIGHT || writer.html.len() > most_html(block.range.end) {
            writer.html.truncate(block.html);
            return (writer.html.into_string(), block.range.start);
        }
        if ends && writer.stack.is_empty() {
            writer.html.newline();
        }
    }
    (writer.html.into_string(), body.len())
}

/// A block that stands in no other: where it lies in the body, and where it began in the HTML.
#[derive(Debug, Default)]
struct Block {
    range: Range<usize>,
    html: usize,
}

struct Writer {
    images: RemoteImages,
    html: Html,
    stack: Stack,
    /// The text since the last piece of markup: the parser cuts it at every character that might have been one.
    run: String,
    /// The block of code we are in: what stood behind its fence, and its text.
    code: Option<(String, String)>,
    image: Option<Image>,
    /// Of the table we are in, and the column we are in.
    alignments: Vec<Alignment>,
    column: usize,
    highlighter: Highlighter,
}

/// An image whose alternative text is being read.
struct Image {
    url: String,
    title: String,
    alt: String,
    /// How many images stand in its alternative text, one in the other. Of those the text counts.
    inner: usize,
}

impl Writer {
    fn event(&mut self, event: Event<'_>) {
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
                self.markup(event);
            }
        }
    }

    fn markup(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(end) => self.end(end),
            Event::Code(code) => {
                self.html.start("code");
                self.html.text(&code);
                self.html.end("code");
            }
            Event::SoftBreak | Event::HardBreak => self.html.start("br"),
            Event::Rule => self.html.start("hr"),
            Event::TaskListMarker(done) => self.html.text(if done { "☑ " } else { "☐ " }),
            // Texts are handled before; the rest belongs to what is not enabled.
            _ => {}
        }
    }

    /// Write what has gathered. An HTML block's text comes with its line breaks.
    fn finish_run(&mut self) {
        let run = std::mem::take(&mut self.run);
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

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Paragraph | Tag::HtmlBlock => self.element("p"),
            Tag::Heading { level, .. } => self.element(heading(level)),
            Tag::BlockQuote(_) => {
                if self.stack.has_room_for_blocks(1) {
                    self.block("blockquote", &[]);
                } else {
                    self.stack.push(Open::DeepBlock);
                }
            }
            Tag::List(first) => self.list(first),
            Tag::Item => {
                if self.stack.has_room_for_blocks(1) {
                    self.block("li", &[]);
                } else {
                    self.stack.push(Open::DeepBlock);
                }
            }
            Tag::CodeBlock(kind) => {
                let info = match kind {
                    CodeBlockKind::Fenced(info) => info.into_string(),
                    CodeBlockKind::Indented => String::new(),
                };
                self.code = Some((info, String::new()));
            }
            Tag::Table(alignments) => {
                self.alignments = alignments;
                self.html.start("table");
                self.stack.push(Open::Table);
            }
            Tag::TableHead => {
                self.column = 0;
                self.html.start("thead");
                self.html.start("tr");
                self.stack.push(Open::TableHead);
            }
            Tag::TableRow => {
                self.column = 0;
                self.element("tr");
            }
            Tag::TableCell => self.cell(),
            Tag::Emphasis => self.inline("em"),
            Tag::Strong => self.inline("strong"),
            Tag::Strikethrough => self.inline("del"),
            Tag::Link { link_type, dest_url, title, .. } => self.link(link_type, &dest_url, &title),
            Tag::Image { dest_url, title, .. } => {
                let (url, title) = (dest_url.into_string(), title.into_string());
                self.image = Some(Image { url, title, alt: String::new(), inner: 0 });
            }
            // What is not enabled. It is pushed so that its end finds it.
            Tag::FootnoteDefinition(_)
            | Tag::DefinitionList
            | Tag::DefinitionListTitle
            | Tag::DefinitionListDefinition
            | Tag::Superscript
            | Tag::Subscript
            | Tag::MetadataBlock(_) => self.stack.push(Open::DeepInline),
        }
    }

    fn end(&mut self, end: TagEnd) {
        if end == TagEnd::CodeBlock {
            if let Some((info, code)) = self.code.take() {
                self.highlighter.block(&info, &code, &mut self.html);
            }
            return;
        }
        match self.stack.pop() {
            Some(Open::Block(name) | Open::Inline(name) | Open::Element(name)) => self.html.end(name),
            Some(Open::DeepBlock) => self.html.start("br"),
            Some(Open::TableHead) => {
                self.html.end("tr");
                self.html.end("thead");
                self.html.start("tbody");
            }
            Some(Open::Table) => {
                self.html.end("tbody");
                self.html.end("table");
            }
            Some(Open::Link { refused: None }) => self.html.end("a"),
            Some(Open::Link { refused: Some(end) }) => self.html.text(&end),
            Some(Open::DeepInline) | None => {}
        }
    }

    fn element(&mut self, name: &'static str) {
        self.html.start(name);
        self.stack.push(Open::Element(name));
    }

    fn block(&mut self, name: &'static str, attributes: &[(&'static str, &str)]) {
        self.html.start_with(name, attributes);
        self.stack.push(Open::Block(name));
    }

    fn inline(&mut self, name: &'static str) {
        if !self.stack.has_room_for_an_inline() {
            return self.stack.push(Open::DeepInline);
        }
        self.html.start(name);
        self.stack.push(Open::Inline(name));
    }

    /// A list has room if its items have.
    fn list(&mut self, first: Option<u64>) {
        if !self.stack.has_room_for_blocks(2) {
            return self.stack.push(Open::DeepBlock);
        }
        match first {
            None => self.block("ul", &[]),
            Some(1) => self.block("ol", &[]),
            Some(first) => self.block("ol", &[("start", &first.to_string())]),
        }
    }

    fn cell(&mut self) {
        let name = if self.stack.is_in_a_table_head() { "th" } else { "td" };
        let align = match self.alignments.get(self.column) {
            Some(Alignment::Left) => Some("left"),
            Some(Alignment::Center) => Some("center"),
            Some(Alignment::Right) => Some("right"),
            Some(Alignment::None) | None => None,
        };
        self.column += 1;
        match align {
            Some(align) => self.html.start_with(name, &[("align", align)]),
            None => self.html.start(name),
        }
        self.stack.push(Open::Element(name));
    }

    /// A link that may not be one is shown as it was written.
    fn link(&mut self, link_type: LinkType, url: &str, title: &str) {
        let is_auto = matches!(link_type, LinkType::Autolink | LinkType::Email);
        let destination = match link_type {
            _ if self.stack.is_in_a_link() => None,
            LinkType::Email => Destination::parse(&format!("mailto:{url}")),
            _ => Destination::parse(url),
        };
        let refused = match destination {
            Some(destination) if title.is_empty() => {
                start_link(&destination, &[], &mut self.html);
                None
            }
            Some(destination) => {
                start_link(&destination, &[("title", title)], &mut self.html);
                None
            }
            None if is_auto => {
                self.html.text("<");
                Some(">".to_owned())
            }
            None => {
                self.html.text("[");
                Some(format!("]{}", in_brackets(url, title)))
            }
        };
        self.stack.push(Open::Link { refused });
    }

    fn in_image(&mut self, event: Event<'_>) {
        let Some(image) = &mut self.image else { return };
        match event {
            Event::Text(text) | Event::Code(text) | Event::Html(text) | Event::InlineHtml(text) => {
                image.alt.push_str(&text);
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

    fn finish_image(&mut self, image: &Image) {
        let Image { url, title, alt, .. } = image;
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
            // Links cannot stand in links.
            _ if self.stack.is_in_a_link() => unlinked(label, &mut self.html),
            Some(destination) => {
                let mut attributes = vec![("class", IMAGE_CLASS)];
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

/// The part of a link behind its text, as it is written.
fn in_brackets(url: &str, title: &str) -> String {
    if title.is_empty() { format!("({url})") } else { format!("({url} \"{title}\")") }
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
