//! The configuration as it is, for people and for programs.

use comfy_table::{Table, presets};
use serde_json::{Value, json};

use super::Configuration;

/// What stands in place of a secret.
const HIDDEN: &str = "(a secret)";

pub(super) fn table(configuration: &Configuration) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["option", "value", "from"]);
    for setting in configuration.settings() {
        let value = setting.value.unwrap_or_else(|| HIDDEN.to_owned());
        table.add_row([setting.name, value, setting.origin.to_string()]);
    }
    table.trim_fmt()
}

pub(super) fn json(configuration: &Configuration) -> serde_json::Result<String> {
    let settings: serde_json::Map<String, Value> = configuration
        .settings()
        .into_iter()
        .map(|setting| (setting.name, json!({ "value": setting.value, "from": setting.origin.to_string() })))
        .collect();
    serde_json::to_string_pretty(&settings)
}

/// After a check that found nothing that keeps the server from starting.
pub(super) fn checked(configuration: &Configuration) -> String {
    let mut lines = configuration.warnings();
    lines.push(match configuration.layers.file() {
        Some(path) => format!("{} can be used", path.display()),
        None => "the configuration can be used; there is no configuration file".to_owned(),
    });
    lines.join("\n")
}
