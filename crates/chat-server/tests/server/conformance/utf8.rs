//! Group 6: text must be UTF-8, however it is split.

use chat_testkit::frame::{CONTINUATION, PING, TEXT, masked, whole};

use super::table::{End, Step, Table, octets, pieces};

/// Valid texts, among them the first and last code points of each length. U+0000 is not among them,
/// because JSON must escape it.
const VALID: [(&str, &str); 20] = [
    ("Greek", "κόσμε"),
    ("octets of 1 to 4 mixed", "Hello-µ@ßöäüàá-世界-😀!"),
    ("U+007F", "\u{7f}"),
    ("U+0080", "\u{80}"),
    ("U+07FF", "\u{7ff}"),
    ("U+0800", "\u{800}"),
    ("U+D7FF, before the surrogates", "\u{d7ff}"),
    ("U+E000, after the surrogates", "\u{e000}"),
    ("U+FEFF", "\u{feff}"),
    ("U+FFFD", "\u{fffd}"),
    ("the noncharacter U+FDD0", "\u{fdd0}"),
    ("the noncharacter U+FFFE", "\u{fffe}"),
    ("the noncharacter U+FFFF", "\u{ffff}"),
    ("U+10000", "\u{10000}"),
    ("the noncharacter U+1FFFE", "\u{1fffe}"),
    ("the noncharacter U+8FFFF", "\u{8ffff}"),
    ("U+FFFFD", "\u{ffffd}"),
    ("U+100000", "\u{100000}"),
    ("the noncharacter U+10FFFE", "\u{10fffe}"),
    ("the noncharacter U+10FFFF", "\u{10ffff}"),
];

/// Invalid sequences, and the number of octets after which each is known to be invalid.
const INVALID: [(&str, &[u8], usize); 35] = [
    ("a continuation alone", b"\x80", 1),
    ("the last continuation alone", b"\xbf", 1),
    ("two continuations alone", b"\x80\xbf", 1),
    ("a continuation after a character", b"\xc2\xb5\xb5", 3),
    ("2 octets, the second missing", b"\xc3(", 2),
    ("3 octets, the second missing", b"\xe4(", 2),
    ("3 octets, the third missing", b"\xe4\xb8(", 3),
    ("4 octets, the second missing", b"\xf0(", 2),
    ("4 octets, the third missing", b"\xf0\x9f(", 3),
    ("4 octets, the fourth missing", b"\xf0\x9f\x98(", 4),
    ("a character begun in another", b"\xe4\xe4\xb8\x96", 2),
    ("2 octets for '/'", b"\xc0\xaf", 1),
    ("2 octets for NUL", b"\xc0\x80", 1),
    ("2 octets for U+007F", b"\xc1\xbf", 1),
    ("3 octets for '/'", b"\xe0\x80\xaf", 2),
    ("3 octets for U+07FF", b"\xe0\x9f\xbf", 2),
    ("4 octets for '/'", b"\xf0\x80\x80\xaf", 2),
    ("4 octets for U+FFFF", b"\xf0\x8f\xbf\xbf", 2),
    ("the first surrogate", b"\xed\xa0\x80", 2),
    ("the last of the high surrogates", b"\xed\xaf\xbf", 2),
    ("the first of the low surrogates", b"\xed\xb0\x80", 2),
    ("the last surrogate", b"\xed\xbf\xbf", 2),
    ("a pair of surrogates", b"\xed\xa0\xbd\xed\xb8\x80", 2),
    ("a surrogate after text", b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80", 13),
    ("U+110000", b"\xf4\x90\x80\x80", 2),
    ("U+13FFFF", b"\xf4\xbf\xbf\xbf", 2),
    ("U+140000", b"\xf5\x80\x80\x80", 1),
    ("U+1FFFFF", b"\xf7\xbf\xbf\xbf", 1),
    ("5 octets for U+200000", b"\xf8\x88\x80\x80\x80", 1),
    ("5 octets for '/'", b"\xf8\x80\x80\x80\xaf", 1),
    ("6 octets for U+4000000", b"\xfc\x84\x80\x80\x80\x80", 1),
    ("6 octets for '/'", b"\xfc\x80\x80\x80\x80\xaf", 1),
    ("the last code point of 6 octets", b"\xfd\xbf\xbf\xbf\xbf\xbf", 1),
    ("the octet FE", b"\xfe", 1),
    ("the octet FF", b"\xff", 1),
];

/// The frame before and after the text of a message.
const HEAD: &[u8] = b"{\"message\":\"";
const TAIL: &[u8] = b"\",\"type\":\"chat_message\"}";

pub(super) fn cases() -> Table {
    let mut table = Table::new(6);
    table.section();
    for (name, text) in VALID {
        let payload = [HEAD, text.as_bytes(), TAIL].concat();
        let echo = [Step::Echo(text.to_owned())];
        for (way, write) in [
            ("", Step::Write(whole(TEXT, &payload))),
            (", in octets", octets(whole(TEXT, &payload))),
            (", in fragments of an octet", Step::Write(pieces(TEXT, payload.chunks(1)).concat())),
        ] {
            table.add(format!("{name}{way}"), [vec![write], echo.to_vec()].concat(), End::Clean);
        }
    }
    // valid text, but not a command
    for (name, text) in [
        ("not JSON", "κόσμε"),
        ("a NUL", "\0"),
        ("a NUL in a string", "{\"message\":\"\0\",\"type\":\"chat_message\"}"),
        ("a byte order mark before the JSON", "\u{feff}{\"message\":\"\",\"type\":\"chat_message\"}"),
    ] {
        table.add_in_all_ways(name, &[whole(TEXT, text.as_bytes())], &[Step::Refused], &End::Clean);
    }

    table.section();
    for (name, sequence, shown) in INVALID {
        invalid(&mut table, name, sequence, shown);
    }

    // a valid beginning of a character is invalid at the end of the message
    table.section();
    for (name, character) in [
        ("2 octets", "é"),
        ("3 octets", "世"),
        ("4 octets", "😀"),
        ("U+FFFF", "\u{ffff}"),
        ("U+10FFFF", "\u{10ffff}"),
    ] {
        for length in 1..character.len() {
            let payload = [HEAD, &character.as_bytes()[..length]].concat();
            let name = format!("the end after {length} octets of {name}");
            table.add_in_all_ways(&name, &[whole(TEXT, &payload)], &[], &End::Closed(1007));
            let frames = pieces(TEXT, [&payload[..], b""]);
            table.add_in_all_ways(&format!("{name}, in fragments"), &frames, &[], &End::Closed(1007));
        }
    }
    table
}

/// Adds cases for a text that contains this sequence, which is known to be invalid after `shown`
/// octets.
fn invalid(table: &mut Table, name: &str, sequence: &[u8], shown: usize) {
    let end = End::Closed(1007);
    let frame = whole(TEXT, &[HEAD, sequence, TAIL].concat());
    table.add_in_all_ways(name, &[frame], &[], &end);
    // a fragment is rejected without waiting for the end of the message
    let fragment = masked(TEXT, &[HEAD, &sequence[..shown]].concat());
    table.add(format!("{name}, in a first fragment"), [Step::Write(fragment)], end.clone());
    // octet by octet, exactly the octet that makes the sequence invalid is rejected
    let single = |octets: &[u8]| -> Vec<u8> {
        octets.iter().flat_map(|octet| masked(CONTINUATION, &[*octet])).collect()
    };
    let before = [masked(TEXT, HEAD), single(&sequence[..shown - 1]), whole(PING, b"still here")].concat();
    let steps = [
        Step::Write(before),
        Step::Pong(b"still here".to_vec()),
        Step::Write(single(&sequence[shown - 1..shown])),
    ];
    table.add(format!("{name}, in fragments of an octet"), steps, end.clone());
    let rest = pieces(CONTINUATION, [&sequence[..shown], &sequence[shown..], TAIL]).concat();
    let steps = [Step::Write([masked(TEXT, HEAD), rest].concat())];
    table.add(format!("{name}, in a message of fragments that ends"), steps, end);
}
