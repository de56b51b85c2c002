//! The output of each feature, as snapshots: the body, and the HTML below it.

use chat_markdown::{MAX_MARKDOWN, MAX_MARKS, RemoteImages, Renderer};

use crate::allowed::assert_allowed;

fn snapshot(name: &str, images: RemoteImages, body: &str) {
    let html = Renderer::new(images).render(body);
    assert_allowed(body, &html);
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!(name, format!("{body}\n\n=====\n\n{html}"));
    });
}

#[test]
fn features() {
    for (name, body) in [
        ("emphasis", "*a* _b_ **c** ***d*** ~~e~~ ~f~ snake_case_name"),
        ("line_breaks", "one\ntwo  \nthree\\\nfour\r\nfive\n\nsix"),
        ("headings", "# one\n\nTwo\n---\n\nThree\n===\n\nfour\n-\n\n###### six {#id .class}"),
        ("quotes", "> a\n> b\n>\n> > c\n\nd"),
        (
            "lists",
            "- a\n- b\n  - c\n\n    d\n\n3. e\n4. f\n\n1) g\n\n- h\n\n5. i\n7. j\n7. k\n8. l\n\n- m\n\n1. n\n1. o\n1. p",
        ),
        ("tasks", "- [ ] to *do*\n- [x] done"),
        ("tables", "|a|b|c|d|\n|-|:-|:-:|-:|\n|1|*2*|`3|`|4|\n|5|\n|6|7|8|9|10|"),
        ("rules", "a\n\n---\n\nb\n\n*****\n\n___\n\n- - -"),
        (
            "code",
            "`a <b> &amp; :smile: http://a`\n\n    indented <b>\n\n```\nplain\n```\n\n```brainfuck title=\"x\"\n+-<>\n```",
        ),
        (
            "rust",
            "```rust,no_run\n#[derive(Debug)]\nfn main() -> Option<u8> {\n    let a = \"b\"; // c\n    f(1 + 2)\n}\n```",
        ),
        (
            "aliases",
            ["rs", "js", "ts", "py", "sh", "yml", "html", "css", "json", "toml", "md", "docker"]
                .map(|name| format!("```{name}\n# \"a\" = 1\n```\n"))
                .concat()
                .as_str(),
        ),
        (
            "links",
            "[a](https://b/c?d=e&f \"t\") [*d*][e] <https://f> <g@h.i> [j](mailto:k@l.m) [ü](http://ü.example/ü) [](https://l.example/_m_)\n\n[e]: http://e",
        ),
        (
            "bare_links",
            "See https://a.example/b_c_d?e=f&g=h#i, (http://j.example/k_(l)), www.m.example/_n_, o_p@q.example and mailto:a@b.example. Not n.example, ftp://n or o@p; *https://r.example*! https://s.example/__t__/*u*#v <www.w.example> `www.x.example` [www.y.example](https://z.example)",
        ),
        (
            "links_that_may_not_be",
            "[a](javascript:b) [*c*](d.md \"e\") <ftp://f> ![g](data:h) array[0](x) [i]\n\n[i]: /j",
        ),
        ("links_in_links", "[a http://b ![c](https://d) ![](https://e) :smile:](https://f)"),
        ("images_as_links", "![a *b* `c`](https://d \"t\") ![](https://e) ![f](http://g)"),
        ("emoji", ":smile: :+1: :nosuch: 10:30:45 `:smile:` [:tada:](https://a) https://b/:smile:"),
        (
            "raw_html",
            "a <b onclick=\"c\">d</b> <!-- e -->\n\n<div>\n*f* <br>\n</div>\n\n&lt;g&gt; &copy; &#0;",
        ),
        ("footnotes_and_others_are_off", "a[^1] $b$ ^c^ [[d]] --- \"e\"\n\n[^1]: f\n\n> [!NOTE]\n> g"),
        ("nothing", " \n\n"),
    ] {
        snapshot(name, RemoteImages::AsLinks, body);
    }
}

#[test]
fn images_that_are_shown() {
    let body = "![a *b* ![c](https://d)](https://e \"t\") ![](https://f) ![g](http://h) [![i](https://j)](https://k)";
    snapshot("images_shown", RemoteImages::Shown, body);
}

/// Bodies whose intended meaning differs from CommonMark.
#[test]
fn text_that_looks_like_markup_is_text() {
    for body in [
        "#",
        "##",
        ">",
        "*",
        "-",
        "+",
        "1.",
        "```",
        "~~~",
        "> >",
        "***",
        "*****",
        "___",
        "**",
        "||\n|-|",
        "+ 1",
        "+ 1\n+ 2",
        "007. James",
        "2 + 2 = 4",
        ">:(",
        ">_<",
        ">=5 apples",
        "<3",
        r"C:\Users\_me\*.txt",
        r"C:\",
        r"\\server\share\_x",
        r"¯\_(ツ)_/¯",
        r"snake\_case",
        r"\d+\.\d*",
        r"C:\Program Files (x86)\_me",
        "a\\\nb",
        "Lib/json/__init__.py",
        "__init__.py and __main__.py",
        "src/**/*.rs and lib/**/*.rs",
        "*.txt and *.md",
        "*.tar.*",
        "^_^ and ^_^",
        "-_- -__-",
        "*_* *_*",
        "~_~",
        "(*^_^*)",
        ">_< >_<",
        "¬_¬ ¬_¬",
        "°_° °_°",
        "2*3*4",
        "x**2 + y**2",
        "f*ck this sh*t",
        "5~10 and 3~4",
        "(.*) and (.*)",
        ".*foo.*",
        "&amp; &copy; &#8364; AT&T;",
        "[WARN]: disk",
        "[a]: https://b\n[c]: /d",
        "50% off\n=",
        "Hello\n--\nAna",
        "Hello\n===",
        r#"say \"hi\" \(or not\)"#,
        "10:30:45",
        "1986. What a year",
        "0. zero",
    ] {
        let html = Renderer::default().render(body);
        let text = assert_allowed(body, &html);
        let number = body.split_once(". ").map_or("", |(number, _)| number);
        let is_numbered = html.contains("<ol") && number.bytes().all(|byte| byte.is_ascii_digit());
        let text = if is_numbered { format!("{number}. {text}") } else { text };
        assert_eq!(text.trim(), body.trim(), "{html}");
    }
}

#[test]
fn emphasis_works_beside_punctuation_without_spaces() {
    for (body, html) in [
        ("**重要：**请看", "<strong>重要：</strong>请看"),
        ("请看**“重要”**吧", "请看<strong>“重要”</strong>吧"),
        ("这是**《书名》**的", "这是<strong>《书名》</strong>的"),
        ("*注意！*然后", "<em>注意！</em>然后"),
        ("~~旧的。~~新的", "<del>旧的。</del>新的"),
        ("**重要:**请看", "<strong>重要:</strong>请看"),
        ("**「重要」**です。**（注）**も", "<strong>「重要」</strong>です。<strong>（注）</strong>も"),
        ("**중요:**입니다", "<strong>중요:</strong>입니다"),
        ("**สำคัญ:**ดู", "<strong>สำคัญ:</strong>ดู"),
        ("（**重要**）**都**要", "（<strong>重要</strong>）<strong>都</strong>要"),
        ("重要*强调*文字", "重要<em>强调</em>文字"),
        ("**H**yper**T**ext", "<strong>H</strong>yper<strong>T</strong>ext"),
        ("**yes**/**no**", "<strong>yes</strong>/<strong>no</strong>"),
        ("**C:\\a_b**", "<strong>C:\\a_b</strong>"),
        (r"\*a\* \_b\_ \# 2\*3", "*a* _b_ \\# 2*3"),
        (r"\*重要\*", "*重要*"),
    ] {
        let rendered = Renderer::default().render(body);
        assert_allowed(body, &rendered);
        assert_eq!(rendered.trim(), format!("<p dir=\"auto\">{html}</p>"), "{body}");
    }
}

#[test]
fn each_block_has_its_direction() {
    for (body, html) in [
        ("a\n\nب", "<p dir=\"auto\">a</p>\n<p dir=\"auto\">ب</p>"),
        // the first paragraph determines the direction of the quote: a browser ignores children
        // with `dir`
        ("> ب\n>\n> a", "<blockquote dir=\"auto\"><p>ب</p><p dir=\"auto\">a</p></blockquote>"),
        ("- ب\n- a", "<ul dir=\"auto\"><li>ب</li><li dir=\"auto\">a</li></ul>"),
        ("> 1. ب", "<blockquote dir=\"auto\"><ol><li>ب</li></ol></blockquote>"),
        ("> 1\n\nب", "<blockquote dir=\"auto\"><p>1</p></blockquote>\n<p dir=\"auto\">ب</p>"),
        (">\n\nب", "<p dir=\"auto\">&gt;</p>\n<p dir=\"auto\">ب</p>"),
        ("# ب `a`", "<h1 dir=\"auto\">ب <code dir=\"ltr\">a</code></h1>"),
        ("```\nب\n```", "<pre dir=\"ltr\"><code>ب\n</code></pre>"),
        (
            "|a|ب|\n|-|-|\n|1|2|",
            "<table><thead><tr><th dir=\"auto\">a</th><th dir=\"auto\">ب</th></tr></thead><tbody><tr><td dir=\"auto\">1</td><td dir=\"auto\">2</td></tr></tbody></table>",
        ),
    ] {
        let rendered = Renderer::default().render(body);
        assert_allowed(body, &rendered);
        assert_eq!(rendered.trim(), html, "{body}");
    }
}

#[test]
fn emoji_alone_are_marked() {
    let rendered = |body| Renderer::default().render(body);
    assert_eq!(rendered(":tada: 👍"), "<p class=\"md-emoji\" dir=\"auto\">🎉 👍</p>\n");
    assert!(!rendered("👍 ok").contains("md-emoji"));
    assert!(!rendered("👍👍👍👍").contains("md-emoji"));
    assert_allowed("👍", &rendered("👍"));
}

#[test]
fn combining_marks_are_bounded() {
    let stack = "\u{301}".repeat(400);
    for body in [
        format!("a{stack}"),
        format!("`a{stack}`"),
        format!("a{}", "\u{301}\u{301}**\u{301}**".repeat(100)),
        format!("```rust\na{stack}\n```"),
        format!("[a{stack}](https://b \"c{stack}\")"),
        format!("a{}", "&#769;".repeat(400)),
        format!("{}a{stack}", "b".repeat(MAX_MARKDOWN)),
    ] {
        let html = Renderer::default().render(&body);
        assert_allowed(&body, &html);
        let most = html.matches('\u{301}').count();
        assert!(most <= 2 * MAX_MARKS, "{most}");
    }
}
