//! The admin listener and `chatd admin`.

mod accounts;
mod announcement;
mod api;
mod confirm;
mod data;
mod listener;
mod listing;
mod moderation;
mod settings;
mod target;
mod token;

use std::net::SocketAddr;
use std::path::Path;

use chat_testkit::http::{Answer, request};

use crate::process::{self, Running, chatd};

const TOKEN: &str = "0123456789abcdef-of-the-operator";

/// A server with a token in the file `token`, and its admin address.
fn start_server(folder: &Path) -> (Running, SocketAddr) {
    std::fs::write(folder.join("token"), format!("{TOKEN}\n")).unwrap();
    let arguments = ["--admin-listen", "127.0.0.1:0", "--admin-token-file", "token"];
    let running = Running::start(chatd(folder).args(arguments));
    let admin = running.admin.unwrap();
    (running, admin)
}

/// Sends a request with the token.
async fn api(admin: SocketAddr, method: &str, path: &str) -> Answer {
    request(admin, method, path, &[&format!("Authorization: Bearer {TOKEN}")]).await
}

/// Runs `chatd admin`: whether it succeeds, and its output.
async fn run_admin(folder: &Path, admin: SocketAddr, arguments: &[&str]) -> (bool, String) {
    run_command(folder, admin, "admin", arguments).await
}

/// Runs a command that needs the admin API.
async fn run_command(folder: &Path, admin: SocketAddr, command: &str, arguments: &[&str]) -> (bool, String) {
    let (name, mut command) = (command, chatd(folder));
    command.arg(name).args(arguments);
    command.args(["--url", &format!("http://{admin}"), "--token-file", "token"]);
    process::run(command).await
}
