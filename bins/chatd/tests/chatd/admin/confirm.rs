//! Commands that remove something ask first, or need `--yes`.

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;

use chat_testkit::v2::Session;
use serde_json::{Value, json};

use super::{api, run_admin, run_command, start_server};
use crate::process::{self, chatd};

/// A command without `--yes` is refused, since there is no terminal, and with `--dry-run` it says
/// the same. Neither does anything.
async fn asks(folder: &Path, admin: SocketAddr, command: &[&str], action: &str) {
    let before = state(admin).await;
    let (name, arguments) = command.split_first().unwrap();
    let refused = run_command(folder, admin, name, arguments).await;
    let how = format!("add --yes to {action}, or --dry-run to see what would be done");
    assert_eq!(refused, (false, format!("chatd: nobody can be asked here: {how}")));
    let dry = run_command(folder, admin, name, &[arguments, &["--dry-run"]].concat()).await;
    assert_eq!(dry, (true, format!("would {action}")));
    let both = run_command(folder, admin, name, &[arguments, &["--dry-run", "--yes"]].concat()).await;
    assert!(!both.0 && both.1.contains("cannot be used with"), "{both:?}");
    assert_eq!(state(admin).await, before, "{command:?}");
}

/// A command that does not ask.
async fn done(folder: &Path, admin: SocketAddr, command: &[&str]) -> String {
    let (name, arguments) = command.split_first().unwrap();
    let (succeeded, output) = run_command(folder, admin, name, arguments).await;
    assert!(succeeded, "{command:?}: {output}");
    output
}

/// What the commands change.
async fn state(admin: SocketAddr) -> Vec<Value> {
    let mut state = Vec::new();
    for path in
        ["announcement", "audit", "reports", "rules", "rooms", "rooms/lobby/rules", "rooms/lobby/settings"]
    {
        state.push(api(admin, "GET", &format!("/v1/{path}")).await.json());
    }
    state
}

#[tokio::test(flavor = "multi_thread")]
async fn an_announcement_is_not_lost_without_a_question() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (_running, admin) = start_server(folder);
    for arguments in [&["announcement", "withdraw"][..], &["announcement", "withdraw", "--dry-run"]] {
        let output = run_admin(folder, admin, arguments).await;
        assert_eq!(output, (false, format!("chatd: http://{admin}: there is no announcement")));
    }
    let set = |body| ["admin", "announcement", "set", body];
    let dry = done(folder, admin, &[&set("we move")[..], &["--dry-run"]].concat()).await;
    assert_eq!(dry, "would make the announcement");
    let long = format!("we {} move", "really ".repeat(20));
    done(folder, admin, &set(&long)).await;
    let current = api(admin, "GET", "/v1/announcement").await.json();
    let id = current["announcement"]["id"].as_str().unwrap();
    // nothing is lost
    done(folder, admin, &set(&long)).await;
    let shown = format!("the announcement {id:?}, \"{}...\"", &long[..60]);
    asks(folder, admin, &set("another"), &format!("replace {shown}")).await;
    asks(folder, admin, &["admin", "announcement", "withdraw"], &format!("withdraw {shown}")).await;
    done(folder, admin, &[&set("another")[..], &["--yes"]].concat()).await;
    done(folder, admin, &["admin", "announcement", "withdraw", "--yes"]).await;
    assert_eq!(api(admin, "GET", "/v1/announcement").await.json(), json!({}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_and_its_copy_are_not_removed_without_a_question() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (running, admin) = start_server(folder);
    let (mut eve, _) = Session::enter(running.address, "lobby", "eve").await;
    eve.send_message("lobby", "buy this").await;
    let (mut bob, _) = Session::enter(running.address, "lobby", "bob").await;
    let report = json!({ "type": "report", "room": "lobby", "target": 1 });
    assert_eq!(bob.ask(report).await["type"], "done");
    let close = |number| ["admin", "close-report", "lobby", number];
    let action = "remove the report 1 in the room \"lobby\", with its copy of the message";
    asks(folder, admin, &close("1"), action).await;
    for flag in ["--yes", "--dry-run"] {
        let unknown = run_admin(folder, admin, &["close-report", "lobby", "2", flag]).await;
        let error = format!("chatd: http://{admin}: there is no open report 2 in the room \"lobby\"");
        assert_eq!(unknown, (false, error));
    }
    done(folder, admin, &[&close("1")[..], &["--yes"]].concat()).await;
    assert_eq!(api(admin, "GET", "/v1/reports").await.json()["reports"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ban_asks_and_what_users_can_undo_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (running, admin) = start_server(folder);
    done(folder, admin, &["account", "add", "ana", "--no-password"]).await;
    let ana = api(admin, "GET", "/v1/accounts/ana").await.json()["id"].as_str().unwrap().to_owned();
    let (mut eve, _) = Session::enter(running.address, "lobby", "eve").await;
    let eve_id = eve.user().to_owned();
    let ban = ["admin", "moderate", "lobby", "ban", &eve_id];
    let others = "and other guests from the same address";
    asks(folder, admin, &ban, &format!("ban {eve_id:?} {others} in the room \"lobby\"")).await;
    let everywhere = ["admin", "moderate-server", "ban", &ana];
    asks(folder, admin, &everywhere, &format!("ban {ana:?} on the whole server")).await;
    let dry = done(folder, admin, &["admin", "moderate", "lobby", "mute", &ana, "--dry-run"]).await;
    assert_eq!(dry, format!("would mute {ana:?} in the room \"lobby\""));
    for action in ["mute", "unmute", "warn", "kick"] {
        done(folder, admin, &["admin", "moderate", "lobby", action, &eve_id]).await;
    }
    assert_eq!(eve.next("left").await["reason"], "kicked");
    eve.join("lobby").await;
    done(folder, admin, &[&ban[..], &["--yes"]].concat()).await;
    assert_eq!(eve.next("left").await["reason"], "banned");
    done(folder, admin, &["admin", "moderate", "lobby", "unban", &eve_id]).await;
    done(folder, admin, &[&everywhere[..], &["--yes"]].concat()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_remove_users_ask() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (running, admin) = start_server(folder);
    let settings = |changes: &[&'static str]| [&["admin", "settings", "lobby"], changes].concat();
    // nobody is there
    done(folder, admin, &settings(&["--join", "accounts"])).await;
    done(folder, admin, &settings(&["--join", "everyone"])).await;
    let (mut eve, _) = Session::enter(running.address, "lobby", "eve").await;
    let (_bob, _) = Session::enter(running.address, "lobby", "bob").await;
    for (changes, lacking) in [
        (&["--join", "accounts"][..], "account"),
        (&["--join", "members"], "role there"),
        (&["--visibility", "private"], "role there"),
        (&["--visibility", "private", "--join", "everyone"], "role there"),
    ] {
        let action = format!("remove those of the 2 members of the room \"lobby\" who have no {lacking}");
        asks(folder, admin, &settings(changes), &action).await;
    }
    for changes in [&["--post", "moderators"][..], &["--visibility", "public"], &["--title", "The lobby"]] {
        let dry = done(folder, admin, &settings(&[changes, &["--dry-run"]].concat())).await;
        assert_eq!(dry, "would change the settings of the room \"lobby\"");
        done(folder, admin, &settings(changes)).await;
    }
    done(folder, admin, &settings(&["--visibility", "private", "--yes"])).await;
    assert_eq!(eve.next("left").await["reason"], "not_allowed");
    // it admits no others now
    done(folder, admin, &settings(&["--join", "members"])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_and_invites_are_not_removed_without_a_question() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (running, admin) = start_server(folder);
    let body = json!({ "username": "ana", "password": "correct horse" });
    let answer = chat_testkit::http::send_json(running.address, "POST", "/api/v1/accounts", &[], &body).await;
    assert_eq!(answer.status, 201);
    asks(folder, admin, &["account", "tokens", "ana", "--remove"], "remove 1 token of \"ana\"").await;
    assert!(done(folder, admin, &["account", "tokens", "ana"]).await.contains("session"));
    let created = done(folder, admin, &["account", "invite", "--json"]).await;
    let created: Value = serde_json::from_str(&created).unwrap();
    let id = created["invite"]["id"].as_str().unwrap();
    asks(folder, admin, &["account", "invite", "--remove", id], &format!("remove the invite {id:?}")).await;
    assert!(done(folder, admin, &["account", "invite", "--list"]).await.contains(id));
    done(folder, admin, &["account", "invite", "--remove", id, "--yes"]).await;
    assert_eq!(done(folder, admin, &["account", "invite", "--list"]).await, "no invites");
}

/// Runs a command at a terminal, which script(1) provides, and answers its question. `None` if
/// script(1) is not here.
async fn at_terminal(
    folder: &Path,
    admin: SocketAddr,
    arguments: &str,
    answer: &str,
) -> Option<(bool, String)> {
    let program = chatd(folder).get_program().to_string_lossy().into_owned();
    let line = format!("{program} admin {arguments} --url http://{admin} --token-file token");
    let mut command = process::chatd_at(Path::new("script"), folder);
    command.args(["--quiet", "--return", "--echo", "never", "--command", &line, "/dev/null"]);
    command.stdin(std::process::Stdio::piped());
    let Ok(mut child) = command.spawn() else {
        assert!(std::env::var_os("CI").is_none(), "script(1) is not here");
        println!("script(1) is not here: skipped");
        return None;
    };
    child.stdin.as_mut().unwrap().write_all(format!("{answer}\n").as_bytes()).unwrap();
    let output = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap();
    Some((output.status.success(), String::from_utf8(output.stdout).unwrap()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_removes_something_asks_on_a_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (running, admin) = start_server(folder);
    let (mut ana, _) = Session::enter(running.address, "lobby", "ana").await;
    ana.send_message("lobby", "one").await;
    let user = ana.user().to_owned();
    let erase = format!("erase {user}");
    let Some((ok, output)) = at_terminal(folder, admin, &erase, "n").await else { return };
    let question = format!(
        "This will erase 1 message and 0 reactions of {user:?} in 1 room. It can't be undone. Go on? [y/N] "
    );
    assert!(!ok && output.contains(&question) && output.contains("chatd: nothing was done"), "{output}");
    assert!(run_admin(folder, admin, &["export", &user]).await.1.contains("one"));
    let (ok, output) = at_terminal(folder, admin, &erase, "y").await.unwrap();
    assert!(ok && output.contains(&format!("erased 1 message and 0 reactions of {user:?}")), "{output}");
    assert_eq!(run_admin(folder, admin, &["export", &user]).await, (true, String::new()));

    let (ok, output) = at_terminal(folder, admin, &format!("moderate lobby ban {user}"), "").await.unwrap();
    let question = "in the room \"lobby\". The action unban ends the ban. Go on? [y/N] ";
    assert!(!ok && output.contains(question), "{output}");
    let (ok, output) =
        at_terminal(folder, admin, &format!("moderate lobby ban {user}"), "yes").await.unwrap();
    assert!(ok, "{output}");
    assert_eq!(ana.next("left").await["reason"], "banned");
}
