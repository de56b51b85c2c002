//! What each feature becomes, as snapshots: the body, and under it the HTML.

use chat_markdown::{RemoteImages, Renderer};

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
        ("headings", "# one\n\nTwo\n---\n\n###### six {#id .class}"),
        ("quotes", "> a\n> b\n>\n> > c\n\nd"),
        ("lists", "- a\n- b\n  - c\n\n    d\n\n3. e\n4. f\n\n1) g"),
        ("tasks", "- [ ] to *do*\n- [x] done"),
        ("tables", "|a|b|c|d|\n|-|:-|:-:|-:|\n|1|*2*|`3|`|4|\n|5|\n|6|7|8|9|10|"),
        ("rules", "a\n\n---\n\nb"),
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
            "[a](https://b/c?d=e&f \"t\") [*d*][e] <https://f> <g@h.i> [j](mailto:k@l.m) [ü](http://ü.example/ü)\n\n[e]: http://e",
        ),
        (
            "bare_links",
            "See https://a.example/b_c_d?e=f&g=h#i, (http://j.example/k_(l)). Not www.m.example, n.example, ftp://n or o@p.q; *https://r.example*!",
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
