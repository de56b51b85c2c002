//! The options as a configuration file and as a page of the documentation, generated from the
//! command line.

use std::collections::BTreeSet;
use std::fmt::Write;

use clap::{Arg, Command};

use crate::cli::reloadable;
use crate::config::{is_secret, options_of};

/// A configuration file with every option commented out and set to its default.
pub(super) fn toml(command: &Command) -> String {
    let mut out = String::from(
        "# The configuration of chatd. The lines that are commented out show the defaults.\n\
         # Flags, environment variables and .env override this file: `chatd config show` shows each value and where it is set.\n",
    );
    let mut last_heading = String::new();
    for arg in in_file(command) {
        let (name, default) = (key(&arg), default(&arg));
        let value = match default.parse::<i64>() {
            Ok(_) => default,
            Err(_) => format!("{default:?}"),
        };
        if let Some(heading) = arg.get_help_heading().filter(|heading| *heading != last_heading) {
            let _ = write!(out, "\n## {heading}\n");
            last_heading = heading.to_owned();
        }
        let help = help(&arg).replace("\n\n", ".\n").replace('\n', "\n# ");
        let _ = write!(out, "\n# {help}\n# {name} = {value}\n");
    }
    out.trim_end().to_owned()
}

/// The page `docs/configuration.md`.
pub(super) fn markdown(command: &Command) -> String {
    let mut out = String::from(
        "# Configuration\n\n\
         <!-- Generated from the program's options by `just configuration`; a test fails when this page is out of date. -->\n\n\
         An option can be set in five places. chatd uses the first one that sets it:\n\n\
         1. a flag: `--message-rate 50`\n\
         2. an environment variable: `CHATD_MESSAGE_RATE=50`\n\
         3. the file `.env` in the current folder: `CHATD_MESSAGE_RATE=50`\n\
         4. the configuration file: `message_rate = 50`. It is a TOML file. `--config` names it; without that it is `chatd.toml` in the\n   \
            current folder, if that file exists\n\
         5. the default\n\n\
         A variable that is set to nothing counts as not set. In `.env` chatd reads only the variables that begin with `CHATD_`.\n\n\
         In the configuration file, numbers are written as they are, `true` and `false` stand for `on` and `off`, and a list may be an array\n\
         of strings:\n\n\
         ```toml\n\
         listen = \"0.0.0.0:8000\"\n\
         allowed_origins = [\"https://chat.example\", \"https://www.example\"]\n\
         history_max_age = \"90days\"\n\
         page = false\n\
         ```\n\n\
         A key that is not an option causes a warning that names the nearest option. `chatd config check` lists all mistakes with file and line,\n\
         `chatd config show` (`--json`) shows each value and where it is set, with secrets hidden, and `chatd config defaults` prints a file to\n\
         start from.\n\n\
         On SIGHUP (`systemctl reload`) a running server reads the configuration again. Options marked \"yes\" under \"reload\" take effect at once;\n\
         for the others the log says that they need a restart. If there is any mistake, the whole old configuration stays in effect, and the log\n\
         says why.\n",
    );
    let (options, reloadable) = (options_of(command), reloadable());
    let mut headings: Vec<_> = options.iter().filter_map(Arg::get_help_heading).collect();
    headings.dedup();
    for heading in headings {
        let _ = write!(
            out,
            "\n## {heading}\n\n| option | variable | default | reload | description |\n|---|---|---|---|---|\n"
        );
        for arg in options.iter().filter(|arg| arg.get_help_heading() == Some(heading)) {
            let _ = writeln!(out, "{}", row(arg, &reloadable));
        }
    }
    out.trim_end().to_owned()
}

fn row(arg: &Arg, reloadable: &BTreeSet<String>) -> String {
    let variable = arg.get_env().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let name = arg.get_long().unwrap_or_default();
    let reload = if reloadable.contains(name) { "yes" } else { "" };
    let default = if is_secret(arg) { String::new() } else { format!("`{}`", default(arg)) };
    let help = help(arg).replace('|', "\\|").replace("\n\n", ". ").replace('\n', " ");
    format!("| `--{name}` | `{variable}` | {default} | {reload} | {help} |")
}

/// The options that a configuration file may set: all but the one that names the file.
fn in_file(command: &Command) -> impl Iterator<Item = Arg> {
    options_of(command).into_iter().filter(|arg| arg.get_id() != "config")
}

fn key(arg: &Arg) -> String {
    arg.get_long().unwrap_or_default().replace('-', "_")
}

fn default(arg: &Arg) -> String {
    let values = arg.get_default_values().iter();
    values.map(|value| value.to_string_lossy().into_owned()).collect::<Vec<_>>().join(",")
}

fn help(arg: &Arg) -> String {
    arg.get_long_help().or_else(|| arg.get_help()).map(ToString::to_string).unwrap_or_default()
}
