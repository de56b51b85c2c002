//! How help is shown.

use std::ffi::OsString;

use clap::Command;

/// The width at which lines are wrapped where the terminal is wider.
const WIDTH: usize = 110;

/// The command as its help is asked for: with `-h` an option has one line, which leaves no room for its variable.
pub(super) fn shown(command: Command, arguments: &[OsString]) -> Command {
    let command = command.max_term_width(WIDTH);
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
