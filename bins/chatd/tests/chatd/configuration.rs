//! The configuration: its layers, `chatd config`, and its page in `docs/`.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::process::{Running, chatd, refused};

/// The output of a command that succeeds.
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

/// Every layer also sets the options of the layers above it.
#[test]
fn flags_override_the_environment_then_dotenv_then_the_file_then_the_defaults() {
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
fn a_named_configuration_file_must_exist() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "other.toml", "database = ':memory:'");
    let server = Running::start(chatd(folder).args(["--config", "other.toml"]));
    assert!(server.announced.contains("(database: :memory:"), "{}", server.announced);
    drop(server);
    write(folder, ".env", "CHATD_CONFIG=other.toml");
    assert_eq!(shown(&mut chatd(folder))["database"]["from"], "other.toml");
    let output = refused(chatd(folder).args(["--config", "missing.toml"]));
    assert!(
        output.starts_with("chatd: the configuration file missing.toml can't be read: No such file"),
        "{output}"
    );
}

#[test]
fn all_mistakes_are_reported_at_once_with_their_locations() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "chatd.toml", "join_rate = 'fast'\nproxy_header = 'x'\nconfig = 'other.toml'\n");
    let expected = "chatd: ./chatd.toml, line 3: config: a configuration file can't name another one\n\
                    ./chatd.toml, line 2: proxy-header: expected one of x-forwarded-for, proxy-protocol; found \"x\"\n\
                    ./chatd.toml, line 1: join-rate: expected a whole number, or off for no limit; found \"fast\"\n";
    assert_eq!(refused(chatd(folder).args(["config", "check"])), expected);
    assert_eq!(refused(&mut chatd(folder)), expected, "the server reports the same");

    write(folder, "chatd.toml", "tls_cert = 'missing.pem'\n");
    let output = refused(chatd(folder).args(["config", "check"]));
    assert_eq!(
        output,
        "chatd: ./chatd.toml, line 1: tls-cert: --tls-cert and --tls-key must be set together: --tls-key is not set\n"
    );

    write(folder, ".env", "CHATD_MESSAGE_BYTES=1");
    let expected =
        "chatd: .env, line 1: CHATD_MESSAGE_BYTES: expected a whole number, at least 256; found \"1\"\n";
    assert_eq!(refused(&mut chatd(folder)), expected);
}

#[test]
fn a_check_finds_every_mistake_in_every_layer() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "chatd.toml", "mesage_rate = 1\nhistory = 'maybe'\nhistory_max_count = 0\nlisten = [\n");
    write(folder, ".env", "A=1\nCHATD_LISTEN=0.0.0.0:99999\nCHATD_LITSEN=0.0.0.0:1\nCHATD_LOG=a b c\n");
    let output = refused(chatd(folder).env("CHATD_JOIN_RATE", "fast").args(["config", "check"]));
    for expected in [
        ".env, line 4: CHATD_LOG: not a valid assignment",
        ".env, line 2: CHATD_LISTEN: expected a port from 0 to 65535 after the colon; found \"0.0.0.0:99999\"",
        ".env, line 3: there is no option \"CHATD_LITSEN\"; did you mean CHATD_LISTEN?",
        "environment: CHATD_JOIN_RATE: expected a whole number, or off for no limit; found \"fast\"",
        "./chatd.toml, line 1: there is no option \"mesage-rate\"; did you mean message-rate?",
        "./chatd.toml, line 2: history: expected on or off; found \"maybe\"",
        "./chatd.toml, line 3: history-max-count: expected at least 1; off keeps everything; found \"0\"",
        "./chatd.toml, line 4: listen: not valid TOML",
    ] {
        assert!(output.contains(expected), "{expected:?} in {output}");
    }
    assert_eq!(output.lines().count(), 8, "{output}");
}

#[test]
fn a_check_resolves_addresses_and_reads_files() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(
        folder,
        "chatd.toml",
        "listen = 'nowhere.invalid:1'\nadmin-listen = 'nowhere.invalid:2'\ntls-cert = 'none.pem'\ntls-key = 'none.pem'\n\
         admin-token-file = 'none'\ndatabase = 'no/folder.sqlite3'\n",
    );
    let output = refused(chatd(folder).env_remove("CHATD_ADMIN_LISTEN").args(["config", "check"]));
    for expected in [
        "./chatd.toml, line 1: listen: \"nowhere.invalid:1\" can't be resolved",
        "./chatd.toml, line 2: admin-listen: \"nowhere.invalid:2\" can't be resolved",
        "./chatd.toml, line 3: tls-cert: ",
        "./chatd.toml, line 5: admin-token-file: the token file none can't be read",
        "./chatd.toml, line 6: database: the folder no does not exist",
    ] {
        assert!(output.contains(expected), "{expected:?} in {output}");
    }
}

/// For all kinds of invalid files and all commands that read them.
#[test]
fn no_error_quotes_a_secret() {
    const SECRET: &str = "my secret token value";
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for text in [
        format!("CHATD_ADMIN_TOKEN={SECRET}"),
        format!("CHATD_ADMIN_TOKEN=\"{SECRET}"),
        format!("CHATD_ADMIN_TOKEN='{SECRET}\nCHATD_LOG=info"),
        format!("OTHER='x\nCHATD_ADMIN_TOKEN={SECRET}"),
        format!("CHATD_ADMIN_TOKEN=\"{SECRET}\""),
        format!("CHATD_ADMIN_TOKEN {SECRET}"),
    ] {
        write(folder, ".env", &text);
        for command in [&["config", "check"][..], &[], &["admin", "rooms"]] {
            let output = refused(chatd(folder).args(command));
            assert!(!output.contains("secret token"), "{text}: {output}");
        }
        let output = refused(chatd(folder).args(["config", "check"]));
        assert!(output.contains(".env, line ") && output.contains("CHATD_ADMIN_TOKEN: "), "{text}: {output}");
    }
    std::fs::remove_file(folder.join(".env")).unwrap();
    for text in [
        format!("listen = '127.0.0.1:0'\nadmin-token = \"{SECRET}"),
        format!("\nadmin-token = {SECRET}"),
        format!("\nadmin-token = \"\"\"{SECRET}"),
        format!("\nadmin-token = ['{SECRET}', 1]"),
        format!("\nadmin-token = {{ value = '{SECRET}' }}"),
        format!("\nadmin-token = '{SECRET}'"),
        format!("\nadmin-token '{SECRET}'"),
    ] {
        write(folder, "chatd.toml", &text);
        let output = refused(chatd(folder).args(["config", "check"]));
        assert!(!output.contains("secret token"), "{text}: {output}");
        assert!(output.contains("./chatd.toml, line 2"), "{text}: {output}");
    }
    let output = refused(chatd(folder).args(["--config", "none.toml"]).env("CHATD_ADMIN_TOKEN", SECRET));
    assert!(!output.contains("secret token"), "{output}");
}

#[test]
fn a_secret_that_is_not_set_is_shown_as_not_set() {
    let folder = tempfile::tempdir().unwrap();
    let line = |command: &mut Command| {
        let shown = printed(command.args(["config", "show"]));
        let line = shown.lines().find(|line| line.trim_start().starts_with("admin-token ")).unwrap();
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(line(&mut chatd(folder.path())), "admin-token not set default");
    let mut command = chatd(folder.path());
    command.env("CHATD_ADMIN_TOKEN", "0123456789abcdef");
    command.env("CHATD_TRACE_ENDPOINT", "http://ana:pw@host/x");
    assert_eq!(line(&mut command), "admin-token (hidden) environment, CHATD_ADMIN_TOKEN");
    assert!(!printed(&mut command).contains("ana:pw"));
}

#[test]
fn an_unknown_key_is_a_warning_that_names_the_most_similar_option() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "chatd.toml", "mesage_rate = 1\nzzz = 1\n");
    let output = printed(chatd(folder).args(["config", "check"]));
    assert_eq!(
        output,
        "./chatd.toml, line 1: there is no option \"mesage-rate\"; did you mean message-rate?\n\
         ./chatd.toml, line 2: there is no option \"zzz\"\n./chatd.toml: no mistakes found\n"
    );
    drop(Running::start(&mut chatd(folder)));
}

#[test]
fn the_file_of_defaults_changes_nothing_and_is_valid() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let without = shown(&mut chatd(folder));
    let defaults = printed(chatd(folder).args(["config", "defaults"]));
    write(folder, "chatd.toml", &defaults);
    assert_eq!(shown(&mut chatd(folder)), without);

    // every line that is commented out is valid, too
    let options =
        defaults.lines().filter_map(|line| line.strip_prefix("# ")).filter(|line| line.contains(" = "));
    write(folder, "chatd.toml", &options.collect::<Vec<_>>().join("\n"));
    let all = shown(&mut chatd(folder));
    for (option, setting) in without.as_object().unwrap() {
        assert_eq!(all[option]["value"], setting["value"], "{option}");
        // the environment of the tests sets these
        if !["config", "admin-listen", "log-format"].contains(&option.as_str()) {
            assert_eq!(all[option]["from"], "./chatd.toml", "{option}");
        }
    }
}

#[test]
fn the_page_in_docs_is_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let docs = printed(chatd(folder.path()).args(["config", "docs"]));
    let written = include_str!("../../../../docs/configuration.md");
    assert!(docs == written, "docs/configuration.md is out of date: `just configuration` writes it again");
}

#[test]
fn the_site_is_checked_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let long = "x".repeat(2_001);
    write(
        folder,
        "chatd.toml",
        &format!(
            "site_name = 'two\u{202e}ways'\nsite_logo = '//e.org/l.png'\nsite_welcome = '{long}'\ndefault_room = '#lobby'\n"
        ),
    );
    let output = refused(&mut chatd(folder));
    for expected in [
        "./chatd.toml, line 1: site-name: it contains a character that is not allowed",
        "./chatd.toml, line 2: site-logo: expected an http or https URL of an image, or a path such as /logo.svg; found \"//e.org/l.png\"",
        "./chatd.toml, line 3: site-welcome: it must not be longer than 2000 characters",
        "./chatd.toml, line 4: default-room: a name may contain only letters, numbers, '_' and '-'; found \"#lobby\"",
    ] {
        assert!(output.contains(expected), "{expected:?} in {output}");
    }
}
