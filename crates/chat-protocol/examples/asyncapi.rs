//! Prints the AsyncAPI document of `chat.v2`, of which docs/asyncapi.json is a copy.

use std::io::{self, Write};

fn main() -> io::Result<()> {
    writeln!(io::stdout(), "{:#}", chat_protocol::v2::asyncapi())
}
