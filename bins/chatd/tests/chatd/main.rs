//! The built program: its command line, its start, its ends.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod command_line;
mod ends;
mod process;
