//! The layout of `-h` and `--help`.

use std::ffi::OsString;

use clap::Command;

/// The width at which lines are wrapped if the terminal is wider.
const MAX_WIDTH: usize = 110;

/// The command with the layout for its help. In `-h` each option has one line, which leaves no
/// space for its variable.
pub(super) fn with_layout(command: Command, arguments: &[OsString]) -> Command {
    let command = command.max_term_width(MAX_WIDTH);
    let is_short = arguments.iter().any(|argument| argument == "-h")
        && !arguments.iter().any(|argument| argument == "--help");
    if is_short { without_variables(command) } else { command }
}

fn without_variables(command: Command) -> Command {
    let names: Vec<_> = command.get_subcommands().map(|inner| inner.get_name().to_owned()).collect();
    let command =
        names.into_iter().fold(command, |command, name| command.mut_subcommand(name, without_variables));
    command.mut_args(|arg| arg.hide_env(true))
}
