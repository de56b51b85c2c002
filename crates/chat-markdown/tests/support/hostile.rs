//! Bodies made to be as expensive as possible. The tests and the benchmarks share them.

use chat_markdown::MAX_MARKDOWN;

/// All bodies with their names. Each has 64 KiB or a little less.
pub(crate) fn hostile() -> Vec<(&'static str, String)> {
    let mut all: Vec<_> = REPEATED.iter().map(|(name, piece)| (*name, repeated("", piece, ""))).collect();
    all.extend([
        ("quotes, lazily continued", repeated(&">".repeat(MAX_MARKDOWN / 2), "a\n", "")),
        ("quotes at the bound, lazily continued", repeated(&format!("{}a\n", ">".repeat(64)), "a\n", "")),
        ("lists at the bound, lazily continued", repeated(&format!("{}a\n", "- ".repeat(60)), "a\n", "")),
        ("lists in lists", stairs(|i| format!("{}- a\n", "  ".repeat(i)), 60)),
        ("quotes in quotes", stairs(|i| format!("{}a\n\n", ">".repeat(i)), 64)),
        ("strong, all open at once", nested("**", "a", "**")),
        ("emphasis of both kinds, all open at once", nested("*_", "a", "_*")),
        ("links in links", nested("[", "a", "](http://b)")),
        ("images in images", nested("![", "a", "](http://b)")),
        ("back-ticks of rising lengths", stairs(|i| format!("{} a", "`".repeat(i)), 361)),
        ("a wide table of empty rows", repeated(&table(2_000), "a\n", "")),
        ("a wide table of full rows", repeated(&table(64), &format!("{}\n", "|*a*".repeat(64)), "")),
        (
            "a long definition, used often",
            repeated(&format!("[a]: http://b/{}\n\n", "c".repeat(2_000)), "[a] ", ""),
        ),
        (
            "an escaped definition, used often",
            repeated(&format!("[a]: http://b/{}\n\n", "\\_".repeat(8_000)), "[a] ", ""),
        ),
        ("a short definition, used often", repeated("[a]: http://b\n\n", "[a] ", "")),
        ("many definitions", stairs(|i| format!("[a{i}]: http://b\n"), 3_800)),
        ("a long word of links", repeated("http://", "a.", "")),
        ("a link of stars", repeated("http://a/", "*", "")),
        ("a link of brackets", repeated("http://a/", "[]", "")),
        ("a local part without an end", repeated("", "a", "@")),
        ("surplus cells", repeated("|a|\n|-|\n", "|b", "")),
        ("rows of surplus cells", repeated("|a|\n|-|\n", "|b|c\n", "")),
        ("cells with a direction", repeated("|a|b|\n|:-|-:|\n", "|c|d|\n", "")),
        ("numbers out of order", stairs(|i| format!("{}. a\n", i * 7 % 1_000), 900)),
        ("digits in quotes", repeated(&"> ".repeat(20), "1\n", "")),
        ("code that is all colours", repeated("```js\n", "'a' ", "")),
        ("a title without an end", repeated("[](a \"", "![\n", "")),
        ("titles without an end", repeated("[](a '[](a \"", "![](\n", "")),
        ("titles at the bound", repeated("", &format!("[a](b \"{}", "[\n".repeat(17)), "")),
        ("code of continued lines", repeated("```ts\n", "/\\\n[", "")),
        ("code of many lines", repeated("```js\n", "a\n", "")),
        ("code of slashes", repeated("```js\n", "/a", "")),
        ("code of angles", repeated("```ts\n", "a<b>", "")),
        ("blocks of code", repeated("", "```js\n'a'\n```\n", "")),
        ("ampersands, just below the bound", repeated("", "aaaaaaaaaaaa&", "")),
        ("degrees, just below the bound", repeated("", "aaaaaaaaaaaa°", "")),
        ("paragraphs, just below the bound", repeated("", "aaaaaaaaaaaaaaa\n\n", "")),
        ("links, just below the bound", repeated("", &format!("http://a/{} ", "b".repeat(31)), "")),
        ("all at its bound", mixed()),
    ]);
    all
}

const REPEATED: [(&str, &str); 78] = [
    ("quotes", ">"),
    ("list markers", "- "),
    ("numbered list markers", "1. "),
    ("brackets", "["),
    ("brackets of images", "!["),
    ("brackets and parentheses", "[a]("),
    ("brackets and two parentheses", "[a](("),
    ("brackets and angles", "[a](<b"),
    ("brackets and titles", "[a](b \"c"),
    ("stars and underscores", "*_"),
    ("open emphasis", "*a "),
    ("emphasis of two kinds", "*a_ "),
    ("emphasis", "*a*"),
    ("emphasis and space", "*a* "),
    ("emphasis of three", "***a** b*"),
    ("strong", "**a** "),
    ("struck out", "~~a~~"),
    ("tildes", "~"),
    ("open strikes", "~~a "),
    ("code spans", "`a`"),
    ("code spans and space", "`a` "),
    ("back-ticks and slashes", "\\`"),
    ("less-than", "<"),
    ("greater-than", "a>"),
    ("tags", "<a "),
    ("whole tags", "<a>"),
    ("attributes", "<a b=\""),
    ("comments", "<!--"),
    ("instructions", "<?"),
    ("declarations", "<!A"),
    ("character data", "<![CDATA["),
    ("ampersands", "&"),
    ("entities", "&amp;"),
    ("numeric entities", "&#38;"),
    ("long entities", "&CounterClockwiseContourIntegral;"),
    ("quotation marks", "\""),
    ("line breaks", "a\n"),
    ("hard breaks", "a\\\n"),
    ("paragraphs", "a\n\n"),
    ("rules", "---\n\n"),
    ("headings", "# a\n"),
    ("underlined headings", "a\n-\n"),
    ("items", "- a\n"),
    ("tasks", "- [ ] a\n"),
    ("links", "[a](http://b)"),
    ("links to nowhere", "[a](b)"),
    ("images", "![](https://b)"),
    ("marked links", "<http://a>"),
    ("bare links", "http://a "),
    ("bare schemes", "http://"),
    ("bare hosts", "www.a.b "),
    ("full stops", "a."),
    ("full stops of hosts", "www."),
    ("colons and slashes", "://"),
    ("emoji", ":smile:"),
    ("half emoji", ":smile"),
    ("colons", ":"),
    ("no-break spaces", "\u{a0}"),
    ("degrees", "°"),
    ("tables", "|a|\n|-|\n\n"),
    ("escapes", "\\*"),
    ("stars in URLs", "http://a/*"),
    ("stars in paths", "a/*"),
    ("long paths", "/_"),
    ("backslashes", "\\"),
    ("backslashes and letters", "\\a"),
    ("bare hosts without spaces", "www.a."),
    ("at signs", "@"),
    ("mail addresses", "a@b.cd "),
    ("mail addresses without spaces", "a@b.cd"),
    ("local parts", "a.b+"),
    ("stars within words", "a*"),
    ("full-width punctuation and stars", "：**重"),
    ("combining marks", "\u{301}"),
    ("quotes in links", "'http://a/'"),
    ("brackets in links", "http://a/[("),
    ("definitions", "[a]: b\n"),
    ("items by number", "7. a\n"),
];

fn repeated(before: &str, piece: &str, after: &str) -> String {
    let times = (MAX_MARKDOWN - before.len() - after.len()) / piece.len();
    format!("{before}{}{after}", piece.repeat(times))
}

fn nested(before: &str, inner: &str, after: &str) -> String {
    let times = (MAX_MARKDOWN - inner.len()) / (before.len() + after.len());
    format!("{}{inner}{}", before.repeat(times), after.repeat(times))
}

/// Steps up to `top`, again and again.
fn stairs(step: impl Fn(usize) -> String, top: usize) -> String {
    let mut body = String::new();
    for i in (0..top).cycle() {
        let step = step(i);
        if body.len() + step.len() > MAX_MARKDOWN {
            break;
        }
        body.push_str(&step);
    }
    body
}

fn table(columns: usize) -> String {
    format!("{}\n{}\n", "|a".repeat(columns), "|-".repeat(columns))
}

/// The maximum of each costly element: highlighting, links, escapes, and then what is most
/// expensive for the parser.
fn mixed() -> String {
    let code = format!("```ts\n{}\n```\n", "a<b>".repeat(300));
    repeated(&format!("{code}{}\n\n", "http://a ".repeat(600)), "[a](", "")
}
