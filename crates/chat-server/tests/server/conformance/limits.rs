//! Group 9: messages up to the size limit, in fragments and writes of many sizes, and messages over
//! it.

use chat_testkit::frame::{BINARY, CONTINUATION, FIN, PING, TEXT, header, masked, whole};
use chat_testkit::said;

use super::table::{End, LIMIT, Step, Table, pieces, text_of};

pub(super) fn cases() -> Table {
    let mut table = Table::new(9);
    table.section();
    for bytes in [LIMIT / 8, LIMIT / 4, LIMIT / 2, LIMIT - 1, LIMIT] {
        let write = Step::Write(whole(TEXT, said(&text_of(bytes)).as_bytes()));
        table.add(format!("text of {bytes} bytes"), [write, Step::Echo(text_of(bytes))], End::Clean);
    }
    // characters of four octets
    let wide = "😀".repeat((LIMIT - said("").len()) / 4);
    let write = Step::Write(whole(TEXT, said(&wide).as_bytes()));
    table.add("text of wide characters", [write, Step::Echo(wide)], End::Clean);

    let text = text_of(LIMIT);
    let payload = said(&text).into_bytes();
    table.section();
    for size in [64, 256, 997, 1024, 4 * 1024, 16 * 1024, 64 * 1024, LIMIT - 1] {
        let write = Step::Write(pieces(TEXT, payload.chunks(size)).concat());
        let steps = [write, Step::Echo(text.clone())];
        table.add(format!("text of the limit in fragments of {size}"), steps, End::Clean);
    }
    // empty fragments do not count towards the limit
    let empty = [&b""[..]; 1000];
    let write = Step::Write(pieces(TEXT, empty.into_iter().chain([&payload[..]]).chain(empty)).concat());
    let steps = [write, Step::Echo(text.clone())];
    table.add("text of the limit between empty fragments", steps, End::Clean);

    table.section();
    for size in [64, 128, 256, 512, 997, 1024, 2048, 64 * 1024] {
        let steps = [Step::Chop(size, whole(TEXT, &payload)), Step::Echo(text.clone())];
        table.add(format!("text of the limit in writes of {size}"), steps, End::Clean);
    }
    let frames = pieces(TEXT, payload.chunks(1000)).concat();
    let steps = [Step::Chop(997, frames), Step::Echo(text)];
    table.add("text of the limit in fragments of 1000 and writes of 997", steps, End::Clean);
    let steps = [Step::Write(whole(BINARY, &payload))];
    table.add("binary of the limit", steps, End::Closed(1003));

    // the payload that these headers announce is never sent: the header is sufficient to reject it
    table.section();
    for (what, length) in
        [("the limit plus one", LIMIT as u64 + 1), ("2^32", 1 << 32), ("2^63 - 1", (1 << 63) - 1)]
    {
        for (kind, opcode) in [("text", TEXT), ("binary", BINARY)] {
            let steps = [Step::Write(header(FIN | opcode, length))];
            table.add(format!("{kind} that announces {what}"), steps, End::Closed(1009));
        }
        let steps = [Step::Write(header(TEXT, length))];
        table.add(format!("a fragment that announces {what}"), steps, End::Closed(1009));
        let steps = [Step::Chop(1, header(FIN | TEXT, length))];
        table.add(format!("text that announces {what}, in octets"), steps, End::Closed(1009));
        // too large for a control frame, and too large for any frame
        let steps = [Step::Write(header(FIN | PING, length))];
        let end = End::ClosedWithOneOf([1002, 1009]);
        table.add(format!("a ping that announces {what}"), steps, end);
    }
    // the highest bit has to be 0 (section 5.2)
    for (what, length) in [("2^63", 1 << 63), ("2^64 - 1", u64::MAX)] {
        for (kind, opcode) in [("text", TEXT), ("binary", BINARY), ("a ping", PING)] {
            let steps = [Step::Write(header(FIN | opcode, length))];
            let end = End::ClosedWithOneOf([1002, 1009]);
            table.add(format!("{kind} that announces {what}"), steps, end);
        }
    }

    table.section();
    let over = [&payload[..], b" "].concat();
    for size in [64, 997, 4 * 1024, 64 * 1024, LIMIT] {
        let frames = pieces(TEXT, over.chunks(size));
        // only the header of the last fragment is sent
        let rest = over.len() - (frames.len() - 1) * size;
        let announced = header(FIN | CONTINUATION, rest as u64);
        let bytes = [frames[..frames.len() - 1].concat(), announced].concat();
        let steps = [Step::Write(bytes)];
        table.add(format!("fragments of {size} that go over the limit by one"), steps, End::Closed(1009));
    }
    for (what, length) in [("2^32", 1 << 32), ("2^63 - 1", (1 << 63) - 1)] {
        let steps = [Step::Write([masked(TEXT, b"{"), header(FIN | CONTINUATION, length)].concat())];
        table.add(format!("a second fragment that announces {what}"), steps, End::Closed(1009));
    }
    let message = Step::Write(whole(TEXT, &payload));
    let steps = [message.clone(), Step::Echo(text_of(LIMIT)), message, Step::Echo(text_of(LIMIT))];
    table.add("two messages of the limit: the limit applies to each", steps, End::Clean);
    table
}
