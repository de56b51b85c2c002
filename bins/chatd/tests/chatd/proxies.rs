//! The configurations for nginx and Caddy in `packaging`, tested with these programs.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use chat_testkit::tls::Identity;
use chat_testkit::{Client, Seen, handshake_with, http, path, until, v2};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::process::{Running, chatd};
use chat_testkit::needs::{self, Need};

fn packaged(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging").join(file);
    std::fs::read_to_string(path).unwrap()
}

/// The text with `what` replaced, which must occur in it.
fn replaced(text: &str, what: &str, with: &str) -> String {
    assert!(text.contains(what), "no {what:?} in {text}");
    text.replace(what, with)
}

/// A port that was free a moment ago. A proxy does not report a port that it chose itself.
fn port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// chatd behind a TLS proxy.
struct Site {
    folder: TempDir,
    chatd: Running,
    identity: Identity,
    /// The port of the proxy.
    port: u16,
    proxy: Option<Child>,
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let arguments = ["--trusted-proxies", "127.0.0.1", "--connections-per-address", "4"];
        let chatd = Running::start(chatd(folder.path()).args(arguments));
        Self { folder, chatd, identity: Identity::generate(), port: port(), proxy: None }
    }

    fn write(&self, file: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(file);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Starts the proxy and waits until it answers.
    async fn start(&mut self, proxy: &mut Command) {
        // its output is not read
        proxy.current_dir(self.folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
        self.proxy = Some(proxy.spawn().unwrap());
        let address = SocketAddr::from(([127, 0, 0, 1], self.port));
        until("the proxy answers", async || self.identity.connect(address).await.is_ok()).await;
    }

    /// Checks that chatd works through the proxy.
    async fn check(&self) {
        // from another address than that of the trusted proxy
        let through =
            self.identity.tunnel_from(Ipv4Addr::new(127, 0, 0, 2), ([127, 0, 0, 1], self.port).into()).await;
        let page = http::request(through, "GET", "/", &[]).await;
        assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));

        let (mut ana, _) = v2::Session::enter(through, "r", "ana").await;
        let mut bob = Client::enter(through, "r", "bob").await;
        assert_eq!(bob.brief().await, "+bob");
        ana.send_message("r", "hello").await;
        assert_eq!(bob.brief().await, "ana: hello");
        let large = "x".repeat(60_000);
        bob.send_message(&large).await;
        assert_eq!(bob.brief().await, format!("bob: {large}"));
        assert!(http::look_up(through, "r", "bob").await);
        // the pong arrives after the frames that are not read yet
        ana.client.ping(b"through").await;
        while !matches!(ana.client.see().await, Seen::Pong(payload) if payload == b"through") {}

        // a page of the same host may connect, a page of another host may not
        let knock = async |path: &str, lines: &str| {
            let mut stream = TcpStream::connect(through).await.unwrap();
            stream.write_all(handshake_with(path, lines).as_bytes()).await.unwrap();
            Client::shake_hands(stream).await.map_err(|answer| answer.status)
        };
        let from = |origin: &str| format!("{}Origin: https://{origin}\r\n", v2::PROTOCOL);
        assert_eq!(knock("/ws", &from("elsewhere.example")).await.unwrap_err(), 403);
        let _cleo = knock("/ws", &from("localhost")).await.unwrap();

        // three of four connections are used; a forged header does not change the address
        let _dee = Client::enter(through, "r", "dee").await;
        for forged in ["203.0.113.7", "198.51.100.1, 203.0.113.8"] {
            let lines = format!("X-Forwarded-For: {forged}\r\n");
            assert_eq!(knock(&path("r", "eve"), &lines).await.unwrap_err(), 429, "{forged}");
        }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(mut proxy) = self.proxy.take() {
            // on SIGTERM nginx ends its worker, too
            let _ = kill_process(Pid::from_child(&proxy), Signal::TERM);
            let _ = proxy.wait();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_nginx() {
    if !needs::are_met(&[Need::Program("nginx")]) {
        return;
    }
    let mut site = Site::new();
    let (certificate, key) = site.identity.write(site.folder.path());
    let config = packaged("nginx/chatd.conf");
    let config = replaced(&config, "server 127.0.0.1:8000;", &format!("server {};", site.chatd.address));
    let config = replaced(&config, "listen 443 ssl;", &format!("listen 127.0.0.1:{} ssl;", site.port));
    let config = replaced(&config, "/etc/ssl/chat.example.org/fullchain.pem", certificate.to_str().unwrap());
    let config = replaced(&config, "/etc/ssl/chat.example.org/privkey.pem", key.to_str().unwrap());
    site.write("chatd.conf", &config);
    let here = site.folder.path().display();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|what| format!("{what}_temp_path {here}/temporary;\n"))
        .concat();
    let main = format!(
        "pid {here}/nginx.pid; daemon off; error_log {here}/error.log;\nevents {{}}\n\
         http {{ access_log off; {temporary} include {here}/chatd.conf; }}\n"
    );
    let main = site.write("nginx.conf", &main);
    site.start(Command::new(needs::located("nginx")).arg("-e").arg("error.log").arg("-c").arg(main)).await;
    site.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_caddy() {
    if !needs::are_met(&[Need::Program("caddy")]) {
        return;
    }
    let mut site = Site::new();
    let (certificate, key) = site.identity.write(site.folder.path());
    let config = packaged("caddy/Caddyfile");
    let config = replaced(&config, "127.0.0.1:8000\n}", &format!("{}\n}}", site.chatd.address));
    // the test certificate; no admin interface, and no port 80
    let tls =
        format!("https://localhost:{} {{\n\ttls {} {}", site.port, certificate.display(), key.display());
    let config = replaced(&config, "chat.example.org {", &tls);
    let config = format!("{{\n\tadmin off\n\tauto_https disable_redirects\n}}\n{config}");
    site.write("Caddyfile", &config);
    let mut caddy = Command::new(needs::located("caddy"));
    caddy.args(["run", "--adapter", "caddyfile", "--config", "Caddyfile"]).env("HOME", site.folder.path());
    caddy.env("XDG_DATA_HOME", site.folder.path()).env("XDG_CONFIG_HOME", site.folder.path());
    site.start(&mut caddy).await;
    site.check().await;
}
