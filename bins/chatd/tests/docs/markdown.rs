//! The parts of a Markdown file.

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// A code block.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    /// The heading above it.
    pub(crate) heading: String,
    /// The text after the fence: the language and a mark.
    pub(crate) info: String,
    pub(crate) code: String,
}

impl Block {
    /// The language.
    pub(crate) fn language(&self) -> &str {
        self.info.split([' ', ',']).next().unwrap_or_default()
    }

    /// The prose in the block, line by line: the comments of a program; all lines of shell commands
    /// and output.
    fn prose(&self) -> Vec<String> {
        let comment = match self.language() {
            "rust" | "js" => "//",
            "toml" => "#",
            "json" => return Vec::new(),
            _ => "",
        };
        self.code
            .lines()
            .filter_map(|line| line.split_once(comment))
            .map(|(_, text)| text.to_owned())
            .collect()
    }

    /// Whether the block is output or a drawing, so there is nothing to run.
    pub(crate) fn is_output(&self) -> bool {
        self.info == "text" || self.info.split(' ').any(|word| word == "output")
    }
}

#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) blocks: Vec<Block>,
    /// The texts of the headings, without markup.
    pub(crate) headings: Vec<String>,
    /// The targets of links and images.
    pub(crate) links: Vec<String>,
    /// The inline code.
    pub(crate) code: Vec<String>,
    /// The text without inline code, by paragraph and table cell, and the prose of code blocks.
    pub(crate) prose: Vec<String>,
}

impl Page {
    pub(crate) fn read(text: &str) -> Self {
        let mut page = Self::default();
        let (mut heading, mut block, mut prose) = (None::<String>, None::<Block>, String::new());
        for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
            match event {
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => {
                    page.headings.extend(heading.take());
                    page.prose.push(std::mem::take(&mut prose));
                }
                Event::Start(Tag::CodeBlock(kind)) => {
                    let info = match kind {
                        CodeBlockKind::Fenced(info) => info.to_string(),
                        CodeBlockKind::Indented => String::new(),
                    };
                    let heading = page.headings.last().cloned().unwrap_or_default();
                    block = Some(Block { heading, info, code: String::new() });
                }
                Event::End(TagEnd::CodeBlock) => {
                    let block = block.take().unwrap();
                    page.prose.extend(block.prose());
                    page.blocks.push(block);
                }
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    page.links.push(dest_url.to_string());
                }
                Event::Text(text) => match (&mut block, &mut heading) {
                    (Some(block), _) => block.code.push_str(&text),
                    (None, heading) => {
                        if let Some(heading) = heading {
                            heading.push_str(&text);
                        }
                        prose.push_str(&text);
                    }
                },
                Event::Code(code) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&code);
                    }
                    prose.push('`');
                    page.code.push(code.into_string());
                }
                Event::SoftBreak | Event::HardBreak => prose.push(' '),
                Event::End(TagEnd::Paragraph | TagEnd::Item | TagEnd::TableCell) => {
                    page.prose.push(std::mem::take(&mut prose));
                }
                _ => {}
            }
        }
        page.prose.push(prose);
        page
    }

    /// The anchors of the headings, as GitHub generates them.
    pub(crate) fn anchors(&self) -> Vec<String> {
        let mut anchors: Vec<String> = Vec::new();
        for heading in &self.headings {
            let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            let anchor: String = kept.collect::<String>().to_lowercase().replace(' ', "-");
            let earlier = anchors.iter().filter(|other| **other == anchor).count();
            anchors.push(if earlier == 0 { anchor } else { format!("{anchor}-{earlier}") });
        }
        anchors
    }
}

#[test]
fn a_page_is_split_into_its_parts() {
    let page = Page::read("# The `x`: it's\n\nSee [`a`](b.md#c)\nand `d`.\n\n```sh\ne # f\n```\n");
    assert_eq!(page.headings, ["The x: it's"]);
    assert_eq!(page.anchors(), ["the-x-its"]);
    assert_eq!(page.links, ["b.md#c"]);
    assert_eq!(page.code, ["x", "a", "d"]);
    assert_eq!(page.prose.join("|"), "The `: it's|See ` and `.|e # f|");
    assert_eq!((page.blocks[0].language(), &*page.blocks[0].code), ("sh", "e # f\n"));
}
