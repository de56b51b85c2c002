//! Prints the description of the HTTP API for clients: `just configuration`.

fn main() {
    println!("{}", chat_server::openapi());
}
