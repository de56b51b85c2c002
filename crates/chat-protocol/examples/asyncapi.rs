//! Prints the contract of `chat.v2` for machines, as it stands in docs/asyncapi.json.

use std::io::{self, Write};

fn main() -> io::Result<()> {
    writeln!(io::stdout(), "{:#}", chat_protocol::v2::asyncapi())
}
