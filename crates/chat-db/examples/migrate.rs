//! Migrates a database by hand: `cargo run -p chat-db --example migrate -- up|down PATH`.
#![allow(clippy::print_stdout)]

use std::path::Path;
use std::process::ExitCode;

use chat_db::sqlite::migrate;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["up", path] => migrate::up(Path::new(path)),
        ["down", path] => migrate::down(Path::new(path)).map(|version| vec![version]),
        _ => {
            println!("usage: migrate up|down PATH");
            return ExitCode::FAILURE;
        }
    };
    match done {
        Ok(versions) if versions.is_empty() => println!("nothing to do"),
        Ok(versions) => println!("done: {}", versions.join(", ")),
        Err(error) => {
            println!("{error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
