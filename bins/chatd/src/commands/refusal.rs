//! The last words of a program that could not do what it was asked to.

use std::io::Write;
use std::sync::mpsc;
use std::time::Duration;

/// How long standard error may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// Prints it for the person who started the program. A standard error that takes nothing more does not keep the process from ending.
pub(crate) fn print(text: &str) {
    let (done, ended) = mpsc::channel();
    let text = text.to_owned();
    let printing = std::thread::Builder::new().spawn(move || {
        let _ = std::io::stderr().write_all(text.as_bytes());
        let _ = done.send(());
    });
    if printing.is_ok() {
        let _ = ended.recv_timeout(PATIENCE);
    }
}
