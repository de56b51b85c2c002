//! Known attacks on sanitisers, each tried as it is and at each position that Markdown has for it.

use chat_markdown::{RemoteImages, Renderer};

use crate::allowed::assert_allowed;

/// Markup that runs a script, or did so in some browser.
const MARKUP: [&str; 74] = [
    "<script>alert(1)</script>",
    "<SCRIPT SRC=//evil.example/x.js></SCRIPT>",
    "<script/src=data:,alert(1)>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<<script>alert(1)//<</script>",
    "<script\n>alert(1)</script\n>",
    "<script>/*</script><script>*/alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<img src=x onerror=\"alert(1)\"//",
    "<img src=`x` onerror=alert(1)>",
    "<img \"\"\"><script>alert(1)</script>\">",
    "<img/src/onerror=alert(1)>",
    "<img src=\"x\"onerror=\"alert(1)\">",
    "<img src=x:x onerror&#61;alert(1)>",
    "<img src=\"jav&#x09;ascript:alert(1);\">",
    "<img src=\"&#14; javascript:alert(1);\">",
    "<img dynsrc=\"javascript:alert(1)\" lowsrc=\"javascript:alert(1)\">",
    "<img srcset=\"x 1x, javascript:alert(1) 2x\">",
    "<image src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    "<svg/onload=alert(1)//",
    "<svg><script>alert&#40;1)</script></svg>",
    "<svg><a xlink:href=\"javascript:alert(1)\"><text y=20>a</text></a></svg>",
    "<svg><animate attributeName=href values=javascript:alert(1) /></svg>",
    "<svg><set attributeName=onmouseover to=alert(1)></svg>",
    "<svg><foreignObject><iframe srcdoc=\"<script>alert(1)</script>\"></foreignObject></svg>",
    "<svg><use href=\"data:image/svg+xml,<svg id=x onload=alert(1)>#x\"></svg>",
    "<svg></p><style><a id=\"</style><img src=1 onerror=alert(1)>\">",
    "<math><mtext><table><mglyph><style><!--</style><img title=\"--&gt;&lt;img src=1 onerror=alert(1)&gt;\">",
    "<math><mi><mglyph><svg><mtext><style><path id=\"</style><img onerror=alert(1) src>\">",
    "<math href=\"javascript:alert(1)\">a</math>",
    "<math><annotation-xml encoding=\"text/html\"><style><img src=x onerror=alert(1)></style></annotation-xml></math>",
    "<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    "<style>@import 'javascript:alert(1)';</style>",
    "<style>*{background:url(javascript:alert(1))}</style>",
    "<div style=\"width:expression(alert(1))\">a</div>",
    "<div style=\"background-image:url(javascript:alert(1))\">a</div>",
    "<link rel=stylesheet href=\"javascript:alert(1)\">",
    "<iframe src=\"javascript:alert(1)\"></iframe>",
    "<iframe srcdoc=\"&lt;script&gt;alert(1)&lt;/script&gt;\"></iframe>",
    "<object data=\"data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==\"></object>",
    "<embed src=\"javascript:alert(1)\">",
    "<applet code=x></applet>",
    "<base href=\"javascript:alert(1)//\">",
    "<form action=\"javascript:alert(1)\"><input type=submit></form>",
    "<button formaction=javascript:alert(1)>a</button>",
    "<input autofocus onfocus=alert(1)>",
    "<select autofocus onfocus=alert(1)>",
    "<textarea autofocus onfocus=alert(1)></textarea><script>alert(1)</script>",
    "<keygen autofocus onfocus=alert(1)>",
    "<isindex type=image src=1 onerror=alert(1)>",
    "<meta http-equiv=refresh content=\"0;url=javascript:alert(1)\">",
    "<meta charset=UTF-7>+ADw-script+AD4-alert(1)+ADw-/script+AD4-",
    "<body onload=alert(1)>",
    "<body background=\"javascript:alert(1)\">",
    "<table background=\"javascript:alert(1)\"><td background=\"javascript:alert(1)\">",
    "<marquee onstart=alert(1)>a</marquee>",
    "<details open ontoggle=alert(1)>a</details>",
    "<video><source onerror=alert(1)></video>",
    "<audio src=x onerror=alert(1)>",
    "<a href=\"javascript:alert(1)\">a</a>",
    "<a href='java\nscript:alert(1)'>a</a>",
    "<a onmouseover=alert(1) style=display:block>a</a>",
    "<a href=http://a target=_self rel=opener>a</a>",
    "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\">",
    "<template><script>alert(1)</script></template>",
    "<xmp><p title=\"</xmp><img src=x onerror=alert(1)>\"></xmp>",
    "<plaintext><script>alert(1)</script>",
    "<!--><img src=x onerror=alert(1)>-->",
    "<!--[if gte IE 4]><script>alert(1)</script><![endif]-->",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<?xml version=\"1.0\"?><?import namespace=t implementation=#x?>",
    "<x onclick=alert(1)>a</x>\u{0}<scr\u{0}ipt>alert(1)</scr\u{0}ipt>",
    "\u{202e}<script>alert(1)</script>\u{202d}\u{feff}",
];

/// URLs that must not become links.
const URLS: [&str; 46] = [
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "javascript&colon;alert(1)",
    "javascript&#58;alert(1)",
    "javascript&#x3A;alert(1)",
    "&#106;avascript:alert(1)",
    "&#0000106&#0000097vascript:alert(1)",
    "&#x6A;&#x61;vascript:alert(1)",
    "java&#9;script:alert(1)",
    "java&#10;script:alert(1)",
    "java&#13;script:alert(1)",
    "java&Tab;script:alert(1)",
    "java&NewLine;script:alert(1)",
    "&#1;javascript:alert(1)",
    "&#32;javascript:alert(1)",
    "\u{1}javascript:alert(1)",
    "\u{a0}javascript:alert(1)",
    "\u{feff}javascript:alert(1)",
    "java\u{0}script:alert(1)",
    "java\u{200b}script:alert(1)",
    "java\\script:alert(1)",
    "javascript\\:alert(1)",
    "javascript:alert(1)//http://a",
    "javascript://a/%0aalert(1)",
    "javascript:\"onmouseover=alert(1)",
    "javascript:%61lert(1)",
    "vbscript:msgbox(1)",
    "livescript:alert(1)",
    "mocha:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==",
    "data:image/svg+xml,<svg/onload=alert(1)>",
    "DATA:text/html,a",
    "blob:https://a/b",
    "file:///etc/passwd",
    "view-source:http://a",
    "feed:javascript:alert(1)",
    "jar:http://a!/b",
    "about:blank",
    "//evil.example",
    "\\\\evil.example",
    "/relative",
    "#onclick=alert(1)",
    "?a=\"onclick=alert(1)",
    "http:javascript:alert(1)",
    "x",
];

/// Allowed URLs that try to leave their attribute.
const ESCAPING: [&str; 10] = [
    "http://a/\"onmouseover=alert(1)//",
    "http://a/\"><script>alert(1)</script>",
    "http://a/'onmouseover='alert(1)",
    "http://a/`onmouseover=alert(1)",
    "http://a/&quot;onmouseover=alert(1)",
    "http://a/&#34;&gt;&lt;script&gt;",
    "http://a/\\\"onmouseover=alert(1)",
    "http://a/?x=<img/src/onerror=alert(1)>",
    "http://a/\u{202e}\u{0}\u{7f}",
    "mailto:a@b.c?subject=\"><script>alert(1)</script>",
];

/// Each position in Markdown that takes a text.
const TEXT_POSITIONS: [&str; 26] = [
    "{}",
    "a {} b",
    "**{}**",
    "`{}`",
    "``` {}\na\n```",
    "```{}\na\n```",
    "```html\n{}\n```",
    "```js\n{}\n```",
    "```\n{}\n```",
    "    {}",
    "# {}",
    "# a {#{}}",
    "> {}",
    "- {}",
    "- [x] {}",
    "|{}|\n|-|\n|{}|",
    "|a|\n|:-{}:|\n|b|",
    "[{}](http://a)",
    "[a](http://a \"{}\")",
    "[a](http://a '{}')",
    "[a]: http://a \"{}\"\n\n[a] ![a]",
    "![{}](https://a)",
    "![a](https://a \"{}\")",
    ":{}:",
    "http://a/{}",
    "<http://a/{}>",
];

/// Each position in Markdown that takes a URL.
const URL_POSITIONS: [&str; 14] = [
    "[a]({})",
    "[a](<{}>)",
    "[a]({} \"b\")",
    "![a]({})",
    "![a](<{}>)",
    "[![a]({})]({})",
    "[a]: {}\n\n[a] [b][a] ![a]",
    "[a]: <{}>\n\n[a] [b][a] ![a]",
    "<{}>",
    "{}",
    "a {} b",
    "({})",
    "[b]({}\n\"c\")",
    "[`{}`](<{}>)",
];

fn check_all(vectors: &[&str], positions: &[&str]) {
    for images in [RemoteImages::AsLinks, RemoteImages::Shown] {
        let renderer = Renderer::new(images);
        for vector in vectors {
            for position in positions {
                let body = position.replace("{}", vector);
                assert_allowed(&body, &renderer.render(&body));
            }
        }
    }
}

#[test]
fn markup_is_not_passed_through() {
    check_all(&MARKUP, &TEXT_POSITIONS);
}

#[test]
fn markup_is_no_url() {
    check_all(&MARKUP, &URL_POSITIONS);
}

#[test]
fn urls_of_other_schemes_are_refused() {
    check_all(&URLS, &URL_POSITIONS);
    check_all(&URLS, &TEXT_POSITIONS);
}

#[test]
fn urls_do_not_leave_their_attributes() {
    check_all(&ESCAPING, &URL_POSITIONS);
    check_all(&ESCAPING, &TEXT_POSITIONS);
}

#[test]
fn a_refused_url_is_not_a_link() {
    let renderer = Renderer::new(RemoteImages::Shown);
    for url in URLS.iter().filter(|url| !url.contains("://a")) {
        for position in ["[a](<{}>)", "![a](<{}>)", "[a]: <{}>\n\n[a] [b][a] ![a]", "<{}>", "{}"] {
            let html = renderer.render(&position.replace("{}", url));
            assert!(!html.contains("<a") && !html.contains("<img"), "{html}");
        }
    }
}

#[test]
fn markup_in_a_message_is_shown() {
    for vector in MARKUP.iter().filter(|vector| !vector.contains(['&', '\0', '\\', '*', '`', '\n'])) {
        let body = format!("a {vector}");
        let text = assert_allowed(&body, &Renderer::default().render(&body));
        assert_eq!(text.trim(), body);
    }
}
