//! Runs a command with a PostgreSQL server for its tests, and exits with the command's status.
//!
//!     postgres COMMAND [ARGUMENT]...
//!
//! The command finds the server's URL in the variable `CHATD_TEST_POSTGRES`. If the variable is set
//! already, or the machine lacks PostgreSQL, the command runs without a new server.
#![allow(clippy::print_stderr)]

fn main() -> std::process::ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let Some(program) = arguments.next() else {
        eprintln!("usage: postgres COMMAND [ARGUMENT]...");
        return 2.into();
    };
    let mut command = std::process::Command::new(&program);
    command.args(arguments);
    run(&program, &mut command)
}

/// Runs the command.
#[cfg(unix)]
fn run(program: &std::ffi::OsStr, command: &mut std::process::Command) -> std::process::ExitCode {
    use std::os::unix::process::ExitStatusExt;

    use chat_testkit::postgres::{SHARED, missing, start_shared};

    // it ends when it is dropped; if this process is killed, it ends, too
    let server = (std::env::var_os(SHARED).is_none() && missing().is_none()).then(start_shared);
    if let Some(server) = &server {
        command.env(SHARED, server.url("postgres"));
    }
    match command.status() {
        // as a shell does it
        Ok(status) => {
            let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
            code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1).into()
        }
        Err(error) => {
            eprintln!("cannot run \"{}\": {error}", program.display());
            127.into()
        }
    }
}

/// Runs the command. Servers for tests run on Linux only.
#[cfg(not(unix))]
fn run(program: &std::ffi::OsStr, command: &mut std::process::Command) -> std::process::ExitCode {
    match command.status() {
        Ok(status) => status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1).into(),
        Err(error) => {
            eprintln!("cannot run \"{}\": {error}", program.display());
            127.into()
        }
    }
}
