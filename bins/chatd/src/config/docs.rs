//! What can be configured, written from the options themselves.

use std::fmt::Write;

use clap::{Arg, Command};

use super::is_secret;
use super::layers::options_of;

/// A configuration file in which every option stands, commented out, with its default.
pub(super) fn toml(command: &Command) -> String {
    let mut out = String::from(
        "# The configuration of chatd. What is commented out is the default.\n\
         # A flag, the environment and .env go before this file: `chatd config show` says what holds and why.\n",
    );
    for arg in in_file(command) {
        let (name, default) = (key(&arg), default(&arg));
        let value = match default.parse::<i64>() {
            Ok(_) => default,
            Err(_) => format!("{default:?}"),
        };
        let _ = write!(out, "\n# {}\n# {name} = {value}\n", help(&arg).replace('\n', "\n# "));
    }
    out.trim_end().to_owned()
}

/// The page `docs/configuration.md`.
pub(super) fn markdown(command: &Command) -> String {
    let mut out = String::from(
        "# Configuration\n\n\
         <!-- Written by `just configuration` from the options themselves; a test says when that is due. -->\n\n\
         Every option can be set in five places. The first one that sets it holds:\n\n\
         1. a flag: `--message-rate 50`\n\
         2. the environment: `CHATD_MESSAGE_RATE=50`\n\
         3. a file `.env` in the current folder: `CHATD_MESSAGE_RATE=50`\n\
         4. the configuration file: `message_rate = 50`. It is TOML; its name is in `--config`, and without that it is `chatd.toml` in the\n   \
            current folder, if there is one\n\
         5. the default\n\n\
         In the configuration file numbers stand as they are, `true` and `false` are `on` and `off`, and a list may be an array of texts:\n\n\
         ```toml\n\
         listen = \"0.0.0.0:8000\"\n\
         allowed_origins = [\"https://chat.example\", \"https://www.example\"]\n\
         history_max_age = \"90days\"\n\
         page = false\n\
         ```\n\n\
         A key that is no option is a warning that names the nearest one. `chatd config check` reads everything as the server would and says\n\
         what is wrong, `chatd config show` (`--json`) says what holds and where it comes from, secrets hidden, and `chatd config defaults`\n\
         prints a file to begin with.\n\n\
         On SIGHUP (`systemctl reload`) a running server reads all of it anew. What is marked takes effect at once; of the rest the log says\n\
         that it needs a restart. Where anything is wrong the old configuration stays as a whole, and the log says why.\n\n\
         | option | variable | default | at once | what it is |\n\
         |---|---|---|---|---|\n",
    );
    for arg in options_of(command) {
        let variable = arg.get_env().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let reload =
            if crate::reload::takes_effect_at_once(arg.get_long().unwrap_or_default()) { "yes" } else { "" };
        let default = if is_secret(&arg) { String::new() } else { format!("`{}`", default(&arg)) };
        let name = arg.get_long().unwrap_or_default();
        let help = help(&arg).replace('|', "\\|").replace('\n', " ");
        let _ = writeln!(out, "| `--{name}` | `{variable}` | {default} | {reload} | {help} |");
    }
    out.trim_end().to_owned()
}

/// Those that may stand in a configuration file: all but the one that names it.
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
