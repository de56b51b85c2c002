//! Group 2: pings and pongs.

use chat_testkit::frame::{PING, PONG, TEXT, whole};
use chat_testkit::said;

use super::table::{End, Step, Table, octets};

pub(super) fn cases() -> Table {
    let mut table = Table::new(2);
    table.section();
    for length in [0, 1, 4, 13, 64, 124, 125] {
        let payload = payload(length);
        let frame = [whole(PING, &payload)];
        table.add_in_all_ways(
            &format!("a ping of {length} bytes"),
            &frame,
            &[Step::Pong(payload)],
            &End::Clean,
        );
    }
    let lengths = (0..=125).flat_map(|length| {
        let payload = payload(length);
        [Step::Write(whole(PING, &payload)), Step::Pong(payload)]
    });
    table.add("pings of all lengths, each after the previous pong", lengths.collect::<Vec<_>>(), End::Clean);
    let not_text = b"\x00\xff\xfe\xfd\xc0\x80".to_vec();
    let steps = [Step::Write(whole(PING, &not_text)), Step::Pong(not_text)];
    table.add("a ping that is not text", steps, End::Clean);

    table.section();
    for length in [126, 127, 65_536] {
        for (kind, opcode) in [("ping", PING), ("pong", PONG)] {
            let frame = whole(opcode, &payload(length));
            table.add(format!("a {kind} of {length} bytes"), [Step::Write(frame)], End::Closed(1002));
        }
    }
    let frame = whole(PING, &payload(126));
    table.add("a ping of 126 bytes, in octets", [octets(frame)], End::Closed(1002));

    // unsolicited pongs are ignored
    table.section();
    let echo = [Step::Echo("hello".to_owned())];
    for (name, payload) in
        [("an empty pong", &b""[..]), ("a pong of 6 bytes", b"unused"), ("a pong of 125 bytes", &[0; 125])]
    {
        let pong = whole(PONG, payload);
        table.add_in_all_ways(name, std::slice::from_ref(&pong), &[], &End::Clean);
        let frames = [pong.clone(), whole(TEXT, said("hello").as_bytes())];
        table.add_in_all_ways(&format!("{name} and a message"), &frames, &echo, &End::Clean);
        let frames = [pong, whole(PING, b"asked")];
        let answer = [Step::Pong(b"asked".to_vec())];
        table.add_in_all_ways(&format!("{name} and a ping"), &frames, &answer, &End::Clean);
    }

    table.section();
    let numbers = || (0..10_u8).map(|i| vec![b'0' + i; 10]);
    let pings: Vec<_> = numbers().map(|payload| whole(PING, &payload)).collect();
    let pongs: Vec<_> = numbers().map(Step::Pong).collect();
    table.add_in_all_ways("ten pings in a row", &pings, &pongs, &End::Clean);
    table
}

fn payload(length: usize) -> Vec<u8> {
    (0..length).map(|i| i as u8).collect()
}
