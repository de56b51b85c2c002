//! Group 7: the closing handshake.

use chat_testkit::frame::{CLOSE, PING, PONG, TEXT, masked, whole};
use chat_testkit::said;

use super::table::{End, LIMIT, Step, Table, close, pieces, text_of};

/// The codes that an endpoint may send (RFC 6455, section 7.4, and IANA's registry).
const VALID: [u16; 15] =
    [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 3000, 3999, 4000, 4999];

/// Unused, reserved, or never sent on the wire.
const INVALID: [u16; 12] = [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535];

pub(super) fn cases() -> Table {
    let mut table = Table::new(7);
    order(&mut table);
    payloads(&mut table);
    codes(&mut table);
    table
}

/// Frames before a close are answered, frames after it are not.
fn order(table: &mut Table) {
    table.section();
    let text = whole(TEXT, said("hello").as_bytes());
    let steps = [Step::Write(text.clone()), Step::Echo("hello".to_owned()), Step::Write(close(1000))];
    table.add("a message, and a close", steps, End::Closed(1000));
    let large = text_of(LIMIT);
    let steps = [
        Step::Write(whole(TEXT, said(&large).as_bytes())),
        Step::Echo(large.clone()),
        Step::Write([close(1000), whole(PING, b"late")].concat()),
    ];
    table.add("a large message, and a close followed by a ping", steps, End::Closed(1000));
    let fragments = pieces(TEXT, [&b"{\"message\""[..], b":\"\"}"]);
    for (name, late) in [
        ("a close", close(1000)),
        ("a close of another code", close(1001)),
        ("a ping", whole(PING, b"late")),
        ("a pong", whole(PONG, b"late")),
        ("a message", text),
        ("a large message", whole(TEXT, said(&large).as_bytes())),
        ("a reserved opcode", whole(3, b"late")),
        ("text that is not UTF-8", whole(TEXT, b"\xff")),
        ("a frame that does not end", masked(TEXT, b"late")[..8].to_vec()),
        ("bytes that are not a frame", vec![0xff; 1000]),
    ] {
        let name = format!("{name} after a close");
        let together = Step::Write([close(1000), late.clone()].concat());
        table.add(format!("{name}, in one write"), [together], End::Closed(1000));
        let apart = [Step::Write(close(1000)), Step::Write(late)];
        table.add(name, apart, End::Closed(1000));
    }
    for (name, frame, code) in [("a close", close(1000), 1000), ("a reserved opcode", whole(3, b""), 1002)] {
        let steps = [Step::Write(frame), Step::Finish];
        table.add(format!("{name}, and the end of the client's side"), steps, End::Closed(code));
    }
    let frames = [fragments[0].clone(), close(1000)];
    table.add_in_all_ways("a close in a message that does not end", &frames, &[], &End::Closed(1000));
    let frames = [fragments[0].clone(), close(1000), fragments[1].clone()];
    table.add_in_all_ways("a close in a message that ends after it", &frames, &[], &End::Closed(1000));
}

fn payloads(table: &mut Table) {
    table.section();
    // as our protocol specifies; the RFC would also allow an empty close frame
    table.add_in_all_ways("a close without a code", &[whole(CLOSE, b"")], &[], &End::Closed(1000));
    table.add_in_all_ways("a close of 1 byte", &[whole(CLOSE, b"\x03")], &[], &End::Closed(1002));
    let mut with_reason = |name: &str, reason: &[u8], end: &End| {
        let frame = whole(CLOSE, &[&1000_u16.to_be_bytes()[..], reason].concat());
        table.add_in_all_ways(&format!("a close with {name}"), &[frame], &[], end);
    };
    with_reason("a code", b"", &End::Closed(1000));
    with_reason("a reason", b"that was all", &End::Closed(1000));
    with_reason("a reason of 4 octets each", "😀".repeat(30).as_bytes(), &End::Closed(1000));
    with_reason("a reason of 123 bytes, the maximum", &[b'x'; 123], &End::Closed(1000));
    with_reason("a reason of 124 bytes", &[b'x'; 124], &End::Closed(1002));
    with_reason("a reason of 1000 bytes", &[b'x'; 1000], &End::Closed(1002));
    let not_text = End::ClosedWithOneOf([1007, 1002]);
    with_reason("a reason that is not UTF-8", b"\xff", &not_text);
    with_reason("a reason with a surrogate", b"\xce\xba\xed\xa0\x80edited", &not_text);
    with_reason("a reason that ends within a character", "世".as_bytes().split_last().unwrap().1, &not_text);
    let steps = [Step::Write(whole(CLOSE, &[b'x'; 126]))];
    table.add("a close of 126 bytes", steps, End::Closed(1002));
}

fn codes(table: &mut Table) {
    let with_code = |table: &mut Table, code: u16, end: &End| {
        for (name, reason) in [("", &b""[..]), (" with a reason", b"that was all")] {
            let frame = whole(CLOSE, &[&code.to_be_bytes()[..], reason].concat());
            table.add(format!("code {code}{name}"), [Step::Write(frame)], end.clone());
        }
    };
    table.section();
    for code in VALID {
        with_code(table, code, &End::Closed(code));
    }
    table.section();
    for code in INVALID {
        with_code(table, code, &End::Closed(1002));
    }
    // A deviation: IANA has registered 1014 (bad gateway) since, but the WebSocket library does not
    // know it.
    table.section();
    with_code(table, 1014, &End::Closed(1002));
}
