//! The current configuration, as a table and as JSON.

use comfy_table::{Table, presets};
use serde_json::{Value, json};

use crate::config::{Configuration, Setting, UNSET_SECRET};

pub(super) fn table(configuration: &Configuration) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["option", "value", "from"]);
    for setting in configuration.settings() {
        let value = displayed(&setting);
        table.add_row([setting.name, value, setting.origin.to_string()]);
    }
    table.trim_fmt()
}

/// A value as the table shows it.
fn displayed(setting: &Setting) -> String {
    match &setting.value {
        None => "(hidden)".to_owned(),
        Some(value) if setting.is_secret && value == UNSET_SECRET => "not set".to_owned(),
        Some(value) => value.clone(),
    }
}

pub(super) fn json(configuration: &Configuration) -> serde_json::Result<String> {
    let settings: serde_json::Map<String, Value> = configuration
        .settings()
        .into_iter()
        .map(|setting| (setting.name, json!({ "value": setting.value, "from": setting.origin.to_string() })))
        .collect();
    serde_json::to_string_pretty(&settings)
}

/// The result of a check that found no mistake.
pub(super) fn checked(configuration: &Configuration) -> String {
    let mut lines = configuration.warnings();
    lines.push(match configuration.file() {
        Some(path) => format!("{}: no mistakes found", path.display()),
        None => "no mistakes found; there is no configuration file".to_owned(),
    });
    lines.join("\n")
}
