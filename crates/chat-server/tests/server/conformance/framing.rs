//! Group 1: frames of all sizes, and the ways to encode a size.

use chat_testkit::frame::{BINARY, FIN, TEXT, whole};
use chat_testkit::said;

use super::table::{End, Step, Table, octets, text_of};

/// Sizes on both sides of each change of the header's form.
const SIZES: [usize; 7] = [0, 125, 126, 127, 128, 65_535, 65_536];

/// The end of a write of this size never coincides with the end of a frame.
const CHOPPED: usize = 997;

/// Frames up to this size are also sent octet by octet, which costs one system call per octet.
const MAX_OCTETS: usize = 128;

pub(super) fn cases() -> Table {
    let mut table = Table::new(1);
    table.section();
    for size in SIZES {
        let (payload, answer) = text(size);
        for (way, write) in ways(whole(TEXT, &payload)) {
            table.add(format!("text of {size} bytes{way}"), [write, answer.clone()], End::Clean);
        }
    }

    // our protocol has no binary frames
    table.section();
    for size in SIZES {
        for (way, write) in ways(whole(BINARY, &vec![0xfe; size])) {
            table.add(format!("binary of {size} bytes{way}"), [write], End::Closed(1003));
        }
    }

    table.section();
    let echo = || Step::Echo("hello".to_owned());
    let payload = said("hello").into_bytes();
    for (name, mask) in [
        ("a mask of zeros", [0; 4]),
        ("a mask of ones", [0xff; 4]),
        ("a mask of different octets", [1, 0x80, 0, 0x7f]),
    ] {
        let frame = with_header(&[FIN | TEXT, 0x80 | payload.len() as u8], mask, &payload);
        table.add(name, [Step::Write(frame), echo()], End::Clean);
    }
    let two = [whole(TEXT, &payload), whole(TEXT, said("and again").as_bytes())].concat();
    let again = Step::Echo("and again".to_owned());
    table.add("two frames in one write", [Step::Write(two.clone()), echo(), again.clone()], End::Clean);
    table.add("two frames in octets", [octets(two), echo(), again], End::Clean);
    let bare = [&[FIN | TEXT, payload.len() as u8], &payload[..]].concat();
    for (way, write) in ways(bare) {
        table.add(format!("a frame without a mask{way}"), [write], End::Closed(1002));
    }

    // A deviation: "the minimal number of bytes MUST be used to encode the length" (section 5.2)
    // applies to the sender. The WebSocket library does not check it, and a longer header does no
    // harm.
    table.section();
    let short = payload.len() as u8;
    for (name, header) in [
        ("a short frame with a length of 16 bits", vec![FIN | TEXT, 0x80 | 126, 0, short]),
        ("a short frame with a length of 64 bits", vec![FIN | TEXT, 0x80 | 127, 0, 0, 0, 0, 0, 0, 0, short]),
    ] {
        for (way, write) in ways(with_header(&header, [1, 2, 3, 4], &payload)) {
            table.add(format!("{name}{way}"), [write, echo()], End::Clean);
        }
    }
    let long = said(&text_of(0x1234));
    let header = [FIN | TEXT, 0x80 | 127, 0, 0, 0, 0, 0, 0, 0x12, 0x34];
    let frame = with_header(&header, [1, 2, 3, 4], long.as_bytes());
    let steps = [Step::Write(frame), Step::Echo(text_of(0x1234))];
    table.add("a frame of 4,660 bytes with a length of 64 bits", steps, End::Clean);
    table
}

/// A payload of `size` bytes, and the expected reaction of the server: an empty payload is not
/// JSON.
fn text(size: usize) -> (Vec<u8>, Step) {
    if size == 0 {
        return (Vec::new(), Step::Refused);
    }
    let text = text_of(size);
    (said(&text).into_bytes(), Step::Echo(text))
}

/// A frame in one write, and in smaller writes.
fn ways(frame: Vec<u8>) -> Vec<(&'static str, Step)> {
    // the 8 bytes are the header and the mask
    let chopped = if frame.len() > MAX_OCTETS + 8 {
        (", in pieces of 997", Step::Chop(CHOPPED, frame.clone()))
    } else {
        (", in octets", octets(frame.clone()))
    };
    vec![("", Step::Write(frame)), chopped]
}

fn with_header(header: &[u8], mask: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let payload = payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask);
    header.iter().chain(&mask).copied().chain(payload).collect()
}
