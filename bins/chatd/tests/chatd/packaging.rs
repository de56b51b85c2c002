//! The unit files, checked with systemd-analyze.
#![cfg(target_os = "linux")]

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::chatd;
use chat_testkit::needs::{self, Need};

/// The first version of systemd whose `systemd-analyze security` has `--offline`.
const WITH_OFFLINE: u32 = 250;

/// The maximum exposure level of the unit, of 10, in `systemd-analyze security`. Below 2 a unit is
/// "OK". Version 252 gives 1.2; other versions have other weights.
const MAX_EXPOSURE: f64 = 1.5;

fn units() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/systemd")
}

/// The command line of the unit, without the program.
fn arguments() -> Vec<String> {
    let unit = std::fs::read_to_string(units().join("chatd.service")).unwrap();
    let line = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    line.split(' ').skip(1).map(str::to_owned).collect()
}

#[test]
fn the_unit_uses_existing_options() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("chatd.toml"), "").unwrap();
    let here = arguments().into_iter().map(|argument| match argument.as_str() {
        "/etc/chatd/chatd.toml" => "chatd.toml".to_owned(),
        "/var/lib/chatd/chatd.sqlite3" => "chatd.sqlite3".to_owned(),
        _ => argument,
    });
    let output = chatd(folder.path()).args(["config", "check"]).args(here).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Whether systemd-analyze can check a unit that is not loaded. Older versions can't, and the test
/// is skipped.
fn checks_files() -> bool {
    let output = Command::new("systemd-analyze").arg("--version").output().unwrap();
    let output = String::from_utf8_lossy(&output.stdout).into_owned();
    let version = output.split_whitespace().nth(1).and_then(|version| version.parse().ok()).unwrap_or(0);
    if version < WITH_OFFLINE {
        needs::skip(&format!("systemd {WITH_OFFLINE} (it has {version})"));
    }
    version >= WITH_OFFLINE
}

#[test]
fn systemd_accepts_the_units_and_reports_a_low_exposure() {
    if !needs::are_met(&[Need::Program("systemd-analyze")]) || !checks_files() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for name in ["chatd.service", "chatd.socket"] {
        let unit = std::fs::read_to_string(units().join(name)).unwrap();
        // neither the program nor its manual is installed here
        let unit = unit.replace("/usr/local/bin/chatd", env!("CARGO_BIN_EXE_chatd"));
        std::fs::write(folder.path().join(name), unit.replace("Documentation=man:chatd(1)\n", "")).unwrap();
    }
    let analyze = |arguments: &[&str]| {
        Command::new("systemd-analyze").args(arguments).current_dir(folder.path()).output().unwrap()
    };
    let verified = analyze(&["verify", "./chatd.service", "./chatd.socket"]);
    let output = String::from_utf8_lossy(&verified.stderr).into_owned();
    let about_ours: Vec<_> = output.lines().filter(|line| line.contains("chatd.s")).collect();
    assert!(about_ours.is_empty(), "{about_ours:?}");
    let security = analyze(&["security", "--offline=true", "--no-pager", "./chatd.service"]);
    let report = String::from_utf8_lossy(&security.stdout).into_owned();
    let level = report
        .lines()
        .find_map(|line| line.split_once("Overall exposure level for chatd.service: "))
        .unwrap()
        .1;
    let level: f64 = level.split(' ').next().unwrap().parse().unwrap();
    assert!(level <= MAX_EXPOSURE, "{report}");
}
