//! Groups 3 and 4: reserved bits and reserved opcodes, which have no meaning without extensions.

use chat_testkit::frame::{CLOSE, FIN, PING, PONG, TEXT, masked, whole};
use chat_testkit::said;

use super::table::{End, Step, Table, octets};

pub(super) fn bits() -> Table {
    let mut table = Table::new(3);
    for (kind, opcode, payload) in [
        ("text", TEXT, said("with bits").into_bytes()),
        ("a ping", PING, b"with bits".to_vec()),
        ("a pong", PONG, b"with bits".to_vec()),
        ("a close", CLOSE, 1000_u16.to_be_bytes().to_vec()),
    ] {
        table.section();
        for bits in 1..=7 {
            let frame = masked(FIN | bits << 4 | opcode, &payload);
            let name = format!("{kind} with the reserved bits {bits:03b}");
            if opcode == TEXT {
                add_in_all_positions(&mut table, &name, &frame);
            } else {
                table.add_in_all_ways(&name, &[frame], &[], &End::Closed(1002));
            }
        }
    }
    table
}

pub(super) fn opcodes() -> Table {
    let mut table = Table::new(4);
    for (kind, opcodes) in [("data", 3..=7), ("control", 11..=15)] {
        table.section();
        for opcode in opcodes {
            let name = format!("the reserved {kind} opcode {opcode}");
            add_in_all_positions(&mut table, &name, &whole(opcode, said("hello").as_bytes()));
            let empty = [Step::Write(whole(opcode, b""))];
            table.add(format!("{name}, empty"), empty, End::Closed(1002));
        }
    }
    table
}

/// Adds cases for a frame that fails the connection: alone, in octets, after a message, and before
/// frames that are no longer read.
fn add_in_all_positions(table: &mut Table, name: &str, frame: &[u8]) {
    let text = "before it".to_owned();
    let message = whole(TEXT, said(&text).as_bytes());
    let ping = whole(PING, b"after it");
    let together = Step::Write([&message, frame, &ping].concat());
    for (position, steps) in [
        ("", vec![Step::Write(frame.to_vec())]),
        (", in octets", vec![octets(frame.to_vec())]),
        (
            ", after a message",
            vec![Step::Write(message), Step::Echo(text.clone()), Step::Write(frame.to_vec())],
        ),
        (", between a message and a ping in one write", vec![together, Step::MayEcho(text)]),
    ] {
        table.add(format!("{name}{position}"), steps, End::Closed(1002));
    }
}
