//! Prints the description of the HTTP API for clients: `just configuration`.
#![allow(clippy::print_stdout)]

fn main() {
    println!("{}", chat_server::openapi());
}
