//! The configuration: its layers, what is said about it, and its page in `docs/`.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::process::{Running, chatd, refused};

/// What a command prints that succeeds.
fn printed(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}

fn shown(command: &mut Command) -> Value {
    serde_json::from_str(&printed(command.args(["config", "show", "--json"]))).unwrap()
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).unwrap();
}

/// Every layer sets the option of the layers above it, too.
#[test]
fn a_flag_goes_before_the_environment_before_dotenv_before_the_file_before_the_default() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(
        folder,
        "chatd.toml",
        "join_rate = 1\njoin-burst = 1\nmessage_rate = 1\nmessage_burst = 1\nhistory = false",
    );
    write(folder, ".env", "CHATD_JOIN_BURST=2\nCHATD_MESSAGE_RATE=2\nCHATD_MESSAGE_BURST=2");
    let settings =
        printed(chatd(folder).env("CHATD_MESSAGE_RATE", "3").env("CHATD_MESSAGE_BURST", "3").args([
            "config",
            "show",
            "--json",
            "--message-burst",
            "4",
        ]));
    let settings: Value = serde_json::from_str(&settings).unwrap();
    for (option, value, from) in [
        ("rooms-per-session", "100", "default"),
        ("join-rate", "1", "./chatd.toml"),
        ("history", "off", "./chatd.toml"),
        ("join-burst", "2", ".env, CHATD_JOIN_BURST"),
        ("message-rate", "3", "environment, CHATD_MESSAGE_RATE"),
        ("message-burst", "4", "flag"),
    ] {
        assert_eq!(settings[option]["value"], value, "{option}");
        assert_eq!(settings[option]["from"], from, "{option}");
    }
}

#[test]
fn the_file_may_be_named_and_has_to_be_there_then() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "other.toml", "database = ':memory:'");
    let server = Running::start(chatd(folder).args(["--config", "other.toml"]));
    assert!(server.announced.contains("(database: :memory:"), "{}", server.announced);
    drop(server);
    write(folder, ".env", "CHATD_CONFIG=other.toml");
    assert_eq!(shown(&mut chatd(folder))["database"]["from"], "other.toml");
    let said = refused(chatd(folder).args(["--config", "missing.toml"]));
    assert!(
        said.starts_with("chatd: the configuration file missing.toml can't be read: No such file"),
        "{said}"
    );
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_all_of_it_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "chatd.toml", "join_rate = 'fast'\nproxy_header = 'x'\nconfig = 'other.toml'\n");
    let expected = "chatd: ./chatd.toml: config: a configuration file can't name another one\n\
                    ./chatd.toml: join-rate: invalid digit found in string\n\
                    ./chatd.toml: proxy-header: one of x-forwarded-for, proxy-protocol\n";
    assert_eq!(refused(chatd(folder).args(["config", "check"])), expected);
    assert_eq!(refused(&mut chatd(folder)), expected, "the server says the same");

    write(folder, "chatd.toml", "tls_cert = 'missing.pem'\n");
    let said = refused(chatd(folder).args(["config", "check"]));
    assert_eq!(said, "chatd: --tls-cert and --tls-key belong together: --tls-key is not set\n");

    write(folder, ".env", "CHATD_MESSAGE_BYTES=1");
    assert_eq!(refused(&mut chatd(folder)), "chatd: .env: CHATD_MESSAGE_BYTES: at least 256\n");
}

#[test]
fn an_unknown_key_is_a_warning_that_names_the_nearest() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "chatd.toml", "mesage_rate = 1\nzzz = 1\n");
    let said = printed(chatd(folder).args(["config", "check"]));
    assert_eq!(
        said,
        "./chatd.toml: there is no option mesage-rate; message-rate is near to it\n\
         ./chatd.toml: there is no option zzz\n./chatd.toml can be used\n"
    );
    drop(Running::start(&mut chatd(folder)));
}

#[test]
fn the_defaults_are_a_file_that_changes_nothing_and_can_be_used_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let without = shown(&mut chatd(folder));
    let defaults = printed(chatd(folder).args(["config", "defaults"]));
    write(folder, "chatd.toml", &defaults);
    assert_eq!(shown(&mut chatd(folder)), without);

    // and every line that is commented out is one that could stand there
    let options =
        defaults.lines().filter_map(|line| line.strip_prefix("# ")).filter(|line| line.contains(" = "));
    write(folder, "chatd.toml", &options.collect::<Vec<_>>().join("\n"));
    let all = shown(&mut chatd(folder));
    for (option, setting) in without.as_object().unwrap() {
        assert_eq!(all[option]["value"], setting["value"], "{option}");
        // these are in the tests' environment
        if !["config", "admin-listen", "log-format"].contains(&option.as_str()) {
            assert_eq!(all[option]["from"], "./chatd.toml", "{option}");
        }
    }
}

#[test]
fn the_page_in_docs_is_what_the_options_are() {
    let folder = tempfile::tempdir().unwrap();
    let docs = printed(chatd(folder.path()).args(["config", "docs"]));
    let written = include_str!("../../../../docs/configuration.md");
    assert!(docs == written, "docs/configuration.md is out of date: `just configuration` writes it anew");
}
