//! Group 5: messages in fragments, and control frames between them.

use chat_testkit::frame::{BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, TEXT, masked, whole};
use chat_testkit::said;

use super::table::{End, Step, Table, pieces};

const TEXT_SAID: &str = "in fragments";

pub(super) fn cases() -> Table {
    let mut table = Table::new(5);
    broken_control_frames(&mut table);
    whole_messages(&mut table);
    continuations_without_a_message(&mut table);
    messages_in_messages(&mut table);
    table
}

fn broken_control_frames(table: &mut Table) {
    table.section();
    let fragments: Vec<_> = message(2);
    for (kind, opcode) in [("ping", PING), ("pong", PONG), ("close", CLOSE)] {
        let (first, last) = (masked(opcode, b"frag"), masked(FIN | CONTINUATION, b"ment"));
        let end = End::Closed(1002);
        table.add_in_all_ways(&format!("a {kind} in two fragments"), &[first.clone(), last], &[], &end);
        table.add(format!("the first fragment of a {kind} alone"), [Step::Write(first.clone())], end.clone());
        let frames = [fragments[0].clone(), first, fragments[1].clone()];
        table.add_in_all_ways(&format!("a {kind} that does not end, in a message"), &frames, &[], &end);
    }
}

fn whole_messages(table: &mut Table) {
    let echo = echo();
    table.section();
    for count in [2, 3, 5, said(TEXT_SAID).len()] {
        let name = format!("a message in {count} fragments");
        table.add_in_all_ways(&name, &message(count), std::slice::from_ref(&echo), &End::Clean);
    }
    let two = message(2);
    let empty = || masked(CONTINUATION, b"");
    for (name, frames) in [
        ("the first fragment is empty", pieces(TEXT, [&b""[..], said(TEXT_SAID).as_bytes()])),
        ("the last fragment is empty", pieces(TEXT, [said(TEXT_SAID).as_bytes(), b""])),
        ("fragments between are empty", vec![two[0].clone(), empty(), empty(), two[1].clone()]),
    ] {
        table.add_in_all_ways(name, &frames, std::slice::from_ref(&echo), &End::Clean);
    }
    let frames = pieces(TEXT, [&b""[..]; 3]);
    table.add_in_all_ways("all fragments are empty", &frames, &[Step::Refused], &End::Clean);

    table.section();
    for payload in [b"".to_vec(), b"between".to_vec(), vec![b'x'; 125]] {
        let frames = [two[0].clone(), whole(PING, &payload), two[1].clone()];
        let then = [Step::Pong(payload.clone()), echo.clone()];
        let name = format!("a ping of {} bytes between two fragments", payload.len());
        table.add_in_all_ways(&name, &frames, &then, &End::Clean);
        // the pong does not wait for the message
        let steps = [
            Step::Write(frames[..2].concat()),
            Step::Pong(payload),
            Step::Write(frames[2].clone()),
            echo.clone(),
        ];
        table.add(format!("{name}, answered before the second"), steps, End::Clean);
    }
    let frames = [two[0].clone(), whole(PONG, b"unused"), two[1].clone()];
    table.add_in_all_ways("a pong between two fragments", &frames, std::slice::from_ref(&echo), &End::Clean);

    let (mut frames, mut pongs, mut steps) = (Vec::new(), Vec::new(), Vec::new());
    for (i, fragment) in message(5).into_iter().enumerate() {
        if i > 0 {
            let payload = format!("ping {i}").into_bytes();
            frames.push(whole(PING, &payload));
            steps.push(Step::Write(whole(PING, &payload)));
            steps.push(Step::Pong(payload.clone()));
            pongs.push(Step::Pong(payload));
        }
        frames.push(fragment.clone());
        steps.push(Step::Write(fragment));
    }
    let then = [pongs, vec![echo.clone()]].concat();
    table.add_in_all_ways("pings between five fragments", &frames, &then, &End::Clean);
    steps.push(echo);
    table.add("pings between five fragments, each answered at once", steps, End::Clean);

    let frames = [two[0].clone(), whole(CLOSE, &1000_u16.to_be_bytes()), two[1].clone()];
    table.add_in_all_ways("a close between two fragments", &frames, &[], &End::Closed(1000));
}

fn continuations_without_a_message(table: &mut Table) {
    table.section();
    let text = whole(TEXT, said(TEXT_SAID).as_bytes());
    for (name, fin) in [("with FIN", FIN), ("without FIN", 0)] {
        let continuation = masked(fin | CONTINUATION, b"of nothing");
        let end = End::Closed(1002);
        let name = format!("a continuation without a message {name}");
        table.add_in_all_ways(&name, std::slice::from_ref(&continuation), &[], &end);
        let frames = [continuation.clone(), text.clone()];
        table.add_in_all_ways(&format!("{name}, and a message"), &frames, &[], &end);
        let frames = [message(2), vec![continuation.clone()]].concat();
        let may_echo = [Step::MayEcho(TEXT_SAID.to_owned())];
        table.add_in_all_ways(&format!("{name}, after a message in fragments"), &frames, &may_echo, &end);
        let steps = [Step::Write(message(2).concat()), echo(), Step::Write(continuation.clone())];
        table.add(format!("{name}, after the echo of a message in fragments"), steps, end.clone());
        let steps = [Step::Write(text.clone()), echo(), Step::Write(continuation.clone())];
        table.add(format!("{name}, after the echo of a whole message"), steps, end.clone());
        // a control frame does not begin a message
        let frames = [whole(PONG, b"unused"), continuation];
        table.add_in_all_ways(&format!("{name}, after a pong"), &frames, &[], &end);
    }
}

fn messages_in_messages(table: &mut Table) {
    table.section();
    let two = message(2);
    let end = End::Closed(1002);
    for (name, inner) in [
        ("a whole text", whole(TEXT, said("inside").as_bytes())),
        ("the first fragment of a text", masked(TEXT, b"inside")),
        ("an empty text", whole(TEXT, b"")),
        ("a whole binary", whole(BINARY, b"inside")),
    ] {
        let frames = [two[0].clone(), inner, two[1].clone()];
        table.add_in_all_ways(&format!("{name} between two fragments"), &frames, &[], &end);
    }
    // this violates both the rule for fragments and our protocol, which has no binary frames
    let frames = [two[0].clone(), masked(BINARY, b"inside"), two[1].clone()];
    let either = End::ClosedWithOneOf([1002, 1003]);
    table.add_in_all_ways("the first fragment of a binary between two fragments", &frames, &[], &either);
    let frames = pieces(BINARY, [&b"bi"[..], b"na", b"ry"]);
    table.add_in_all_ways("a binary in three fragments", &frames, &[], &End::Closed(1003));
    // the first header already shows that it is binary
    table.add("the first fragment of a binary", [Step::Write(frames[0].clone())], End::Closed(1003));
    let frames = [frames[0].clone(), whole(TEXT, b"{}")];
    table.add_in_all_ways("a text in a binary", &frames, &[], &either);
}

fn echo() -> Step {
    Step::Echo(TEXT_SAID.to_owned())
}

/// The frames of a message in `count` fragments.
fn message(count: usize) -> Vec<Vec<u8>> {
    let payload = said(TEXT_SAID).into_bytes();
    let (size, more) = (payload.len() / count, payload.len() % count);
    // the first fragments are one byte longer if the length does not divide evenly
    let (large, small) = payload.split_at((size + 1) * more);
    pieces(TEXT, large.chunks(size + 1).chain(small.chunks(size)))
}
