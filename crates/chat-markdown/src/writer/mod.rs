//! From the parser's events to HTML.

mod open;

use std::ops::Range;

use pulldown_cmark::{Alignment, CodeBlockKind, Event, HeadingLevel, LinkType, Options, Parser, Tag, TagEnd};

use crate::limits::{MOST_WEIGHT, most_html};
use crate::code::Highlighter;
use crate::destination::Destination;
use crate::html::Html;
use self::open::{Label, Open, Stack};
use crate::renderer::RemoteImages;
use crate::run::{linked, start_link, unlinked};
use crate::placeholder::{restored, restored_len};
use crate::sanitiser::{IMAGE_CLASS, TASK_CLASS};

const OPTIONS: Options =
    Options::ENABLE_TABLES.union(Options::ENABLE_STRIKETHROUGH).union(Options::ENABLE_TASKLISTS);

/// How elements of text find their direction.
const AUTO: (&str, &str) = ("dir", "auto");

/// The HTML of a body, as far as the bounds go: up to where in the body that is.
pub(crate) fn write(body: &str, images: RemoteImages) -> (String, usize) {
    let mut writer = Writer {
        body,
        images,
        html: Html::default(),
        stack: Stack::default(),
        run: String::new(),
        code: None,
        image: None,
        alignments: Vec::new(),
        column: 0,
        row_end: 0,
        begun: Vec::new(),
        lists: Vec::new(),
        shown: 0,
        inherits: false,
        highlighter: Highlighter::default(),
    };
    let mut block = Block::default();
    for (event, range) in Parser::new_ext(body, OPTIONS).into_offset_iter() {
        if range.start >= block.range.end {
            let written = block.written + restored_len(&body[block.range.end..range.end]);
            block = Block { html: writer.html.len(), range: range.clone(), written };
        }
        let ends = matches!(event, Event::End(_) | Event::Rule);
        writer.event(event, range);
        if writer.html.weight() > MOST_WEIGHT || writer.html.len() > most_html(block.written) {
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
    /// How much a person wrote up to its end.
    written: usize,
}

/// Where an element began, in the HTML and in the body, and how much was shown before it.
struct Begun {
    html: usize,
    source: Range<usize>,
    shown: usize,
}

/// The numbers of a list's items: the first one, whether all since were the same, and the one that a browser gives to the next.
struct Numbers {
    first: u64,
    is_same: bool,
    next: u64,
}

struct Writer<'b> {
    body: &'b str,
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
    /// Where the row we are in ends in the body.
    row_end: usize,
    /// What is open and may turn out to show nothing.
    begun: Vec<Begun>,
    /// The lists that we are in. `None`: without numbers.
    lists: Vec<Option<Numbers>>,
    /// Grows with everything that can be seen.
    shown: usize,
    /// Whether the block around has `dir="auto"` and no letter yet. What begins here takes its direction from it: a browser does not look
    /// into elements that have a direction of their own.
    inherits: bool,
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

impl Writer<'_> {
    fn event(&mut self, event: Event<'_>, range: Range<usize>) {
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
            // Texts are handled before; the rest belongs to what is not enabled.
            _ => {}
        }
    }

    /// Write what has gathered. An HTML block's text comes with its line breaks.
    fn finish_run(&mut self) {
        let run = std::mem::take(&mut self.run);
        if run.is_empty() {
            return;
        }
        self.saw(&run);
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

    /// Text was written, or is about to be.
    fn saw(&mut self, text: &str) {
        if !text.trim().is_empty() {
            self.shown += 1;
        }
        if self.inherits && text.contains(char::is_alphabetic) {
            self.inherits = false;
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

    fn end(&mut self, end: TagEnd, range: Range<usize>) {
        match end {
            TagEnd::CodeBlock => return self.end_code(range),
            TagEnd::TableCell => self.surplus(&range),
            TagEnd::List(_) => {
                self.lists.pop();
            }
            _ => {}
        }
        match self.stack.pop() {
            Some(Open::Block { name, inherits }) => {
                self.inherits &= inherits;
                if name == "li" || !self.showed_nothing() {
                    self.html.end(name);
                }
            }
            Some(Open::Heading(name)) => {
                if !self.showed_nothing() {
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
                if !self.showed_nothing() {
                    self.html.end("tbody");
                    self.html.end("table");
                }
            }
            Some(Open::Link { refused: None, label }) => {
                if self.shown == label.shown {
                    self.saw(&label.url);
                    self.html.text(&label.url);
                }
                self.html.end("a");
            }
            Some(Open::Link { refused: Some(end), .. }) => {
                self.saw(&end);
                self.html.text(&end);
            }
            Some(Open::DeepInline) | None => {}
        }
    }

    fn element(&mut self, name: &'static str) {
        self.html.start(name);
        self.stack.push(Open::Element(name));
    }

    /// A block that other blocks stand in.
    fn block(&mut self, name: &'static str, attributes: &[(&'static str, &str)]) {
        self.start_directed(name, attributes);
        self.stack.push(Open::Block { name, inherits: self.inherits });
        self.inherits = true;
    }

    /// A block of text.
    fn text_block(&mut self, name: &'static str) {
        self.start_directed(name, &[]);
        self.stack.push(Open::Element(name));
    }

    fn start_directed(&mut self, name: &'static str, attributes: &[(&'static str, &str)]) {
        if self.inherits {
            return self.html.start_with(name, attributes);
        }
        let mut all = attributes.to_vec();
        all.push(AUTO);
        self.html.start_with(name, &all);
    }

    /// Remember where something begins that may turn out to show nothing.
    fn begin(&mut self, source: Range<usize>) {
        self.begun.push(Begun { html: self.html.len(), source, shown: self.shown });
    }

    /// Whether what began last showed nothing. Then its source is there instead of it: a lone `#` or `>` is text.
    fn showed_nothing(&mut self) -> bool {
        let Some(begun) = self.begun.pop() else { return false };
        let source = restored(&self.body[begun.source]);
        if self.shown != begun.shown || source.trim().is_empty() {
            return false;
        }
        self.html.truncate(begun.html);
        self.written_paragraph(source.trim());
        // If nothing else is in the block around, its own markers are text, too.
        self.shown = begun.shown;
        true
    }

    /// A paragraph of text as it was written.
    fn written_paragraph(&mut self, text: &str) {
        self.start_directed("p", &[]);
        self.saw(text);
        for (i, line) in text.lines().enumerate() {
            if i > 0 {
                self.html.start("br");
            }
            self.html.text(line.trim());
        }
        self.html.end("p");
    }

    /// Only dashes make a line: stars and underscores may be a word that nobody should read.
    fn rule(&mut self, range: Range<usize>) {
        let source = restored(&self.body[range]);
        if source.trim_start().starts_with('-') {
            self.shown += 1;
            self.html.start("hr");
        } else {
            self.written_paragraph(source.trim());
        }
    }

    /// A line under a paragraph does not make it a heading: the line is text, or a rule.
    fn heading(&mut self, level: HeadingLevel, range: Range<usize>) {
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

    fn end_underlined(&mut self, underline: &str) {
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

    fn end_code(&mut self, range: Range<usize>) {
        let Some((info, code)) = self.code.take() else { return };
        let code = restored(&code);
        let source = restored(&self.body[range]);
        if code.trim().is_empty() && !source.trim().is_empty() {
            return self.written_paragraph(source.trim());
        }
        self.shown += 1;
        self.highlighter.block(&info, &code, &mut self.html);
    }

    fn inline(&mut self, name: &'static str) {
        if !self.stack.has_room_for_an_inline() {
            return self.stack.push(Open::DeepInline);
        }
        self.html.start(name);
        self.stack.push(Open::Inline(name));
    }

    /// A list has room if its items have.
    fn list(&mut self, first: Option<u64>, range: Range<usize>) {
        self.lists.push(first.map(|next| Numbers { first: next, is_same: true, next }));
        if !self.stack.has_room_for_blocks(2) {
            return self.stack.push(Open::DeepBlock);
        }
        self.begin(range);
        match first {
            None => self.block("ul", &[]),
            Some(1) => self.block("ol", &[]),
            Some(first) => self.block("ol", &[("start", &first.to_string())]),
        }
    }

    fn item(&mut self, range: Range<usize>) {
        if !self.stack.has_room_for_blocks(1) {
            return self.stack.push(Open::DeepBlock);
        }
        let source = self.body[range].trim_start();
        let digits = source.len() - source.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let value = self.number(source[..digits].parse().ok());
        let text = source[digits..].trim_start_matches(['-', '*', '.', ')']).trim_start();
        let is_task = ["[ ]", "[x]", "[X]"].iter().any(|marker| text.starts_with(marker));
        let mut attributes = Vec::new();
        if is_task {
            attributes.push(("class", TASK_CLASS));
        }
        if let Some(value) = &value {
            attributes.push(("value", value.as_str()));
        }
        self.block("li", &attributes);
    }

    /// The number of an item, where a browser would count otherwise. Items that all have the same number ask to be counted.
    fn number(&mut self, written: Option<u64>) -> Option<String> {
        let numbers = self.lists.last_mut()?.as_mut()?;
        let written = written?;
        numbers.is_same &= written == numbers.first;
        let is_other = written != numbers.next && !numbers.is_same;
        if is_other {
            numbers.next = written;
        }
        numbers.next = numbers.next.saturating_add(1);
        is_other.then(|| written.to_string())
    }

    /// Cells beyond a table's last column are text of the last one.
    fn surplus(&mut self, cell: &Range<usize>) {
        if self.column != self.alignments.len() || cell.end >= self.row_end {
            return;
        }
        let rest = self.body[cell.end..self.row_end].trim();
        let rest = rest.strip_prefix('|').unwrap_or(rest);
        let rest = rest.strip_suffix('|').unwrap_or(rest).trim();
        if !rest.is_empty() {
            self.html.text(" | ");
            self.saw(rest);
            linked(rest, &mut self.html);
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
            Some(align) => self.start_directed(name, &[("align", align)]),
            None => self.start_directed(name, &[]),
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
        let label = Label { url: url.to_owned(), shown: self.shown };
        self.stack.push(Open::Link { refused, label });
    }

    fn in_image(&mut self, event: Event<'_>) {
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

    fn finish_image(&mut self, image: &Image) {
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
