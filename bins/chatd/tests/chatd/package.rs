//! The Debian package: installed on a machine with systemd, removed and purged.
#![cfg(target_os = "linux")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use chat_testkit::{http, until, v2};
use serde_json::json;

use crate::download;
use chat_testkit::needs::Need;

const SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8000);

const INSTALL: &str = "dpkg --install chatd_*.deb";

/// Files of the package.
const FILES: [&str; 9] = [
    "/usr/bin/chatd",
    "/etc/chatd/chatd.toml",
    "/usr/lib/systemd/system/chatd.service",
    "/usr/lib/systemd/system/chatd.socket",
    "/usr/lib/systemd/system/chatd-backup.timer",
    "/usr/share/man/man1/chatd.1.gz",
    "/usr/share/bash-completion/completions/chatd",
    "/usr/share/doc/chatd/copyright",
    "/usr/share/doc/chatd/THIRD-PARTY-LICENSES.txt.gz",
];

async fn is_ready() {
    until("it is ready", async || {
        tokio::net::TcpStream::connect(SERVER).await.is_ok()
            && http::request(SERVER, "GET", "/readyz", &[]).await.status == 200
    })
    .await;
}

/// The messages of the room.
async fn history() -> Vec<String> {
    let mut bob = v2::Session::hello(SERVER, "bob").await;
    let joined = bob.ask(json!({ "type": "join", "room": "lobby", "history": 50 })).await;
    let messages = joined["messages"].as_array().unwrap();
    messages.iter().map(|message| message["body"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_package_serves_keeps_its_data_when_removed_and_deletes_it_when_purged() {
    let needs = [download::NEEDS, &[Need::Program("dpkg-query")]].concat();
    let Some((machine, _download)) = download::machine(&needs).await else { return };
    machine.move_into_its_network();

    machine.must(INSTALL);
    is_ready().await;
    for file in FILES {
        machine.must(&format!("test -e {file}"));
    }
    assert_eq!(machine.must("stat -c %a /etc/chatd/admin-token"), "600\n");
    assert_eq!(machine.must("systemctl is-enabled chatd.socket"), "enabled\n");
    let token = machine.must("cat /etc/chatd/admin-token");
    {
        let (mut ana, _) = v2::Session::enter(SERVER, "lobby", "ana").await;
        ana.send_message("lobby", "before the package was removed").await;
    }

    machine.must("dpkg --remove chatd");
    assert!(tokio::net::TcpStream::connect(SERVER).await.is_err(), "the port is free");
    machine.must("test ! -e /usr/bin/chatd");
    machine.must("test -e /etc/chatd/chatd.toml");

    machine.must(INSTALL);
    is_ready().await;
    assert_eq!(history().await, ["before the package was removed"]);
    assert_eq!(machine.must("cat /etc/chatd/admin-token"), token);

    // installing the same version again is an upgrade, during which the port stays open
    let before = machine.must("systemctl show --property MainPID --value chatd");
    machine.must(INSTALL);
    is_ready().await;
    assert_ne!(machine.must("systemctl show --property MainPID --value chatd"), before, "it was restarted");
    assert_eq!(history().await, ["before the package was removed"]);

    machine.must("mkdir -p /var/backups/chatd; touch /var/backups/chatd/kept");
    machine.must("dpkg --purge chatd");
    machine.must("test ! -e /etc/chatd; test ! -e /var/lib/chatd; test ! -e /var/lib/private/chatd");
    machine.must("test -e /var/backups/chatd/kept");
    let (is_known, _) = machine.run("dpkg-query --status chatd");
    assert!(!is_known, "the package is removed completely");
}
