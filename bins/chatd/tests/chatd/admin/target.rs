//! How `chatd admin` finds and reaches its server.

use chat_testkit::tls::Identity;

use super::{TOKEN, run_admin, start_server};
use crate::process::{self, chatd};

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_answer_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let (running, admin) = start_server(folder.path());
    drop(running);
    let (ok, output) = run_admin(folder.path(), admin, &["rooms"]).await;
    assert!(!ok && output.starts_with(&format!("chatd: http://{admin} does not answer: ")), "{output}");
}

/// The settings of the server apply to the command.
#[tokio::test(flavor = "multi_thread")]
async fn the_command_finds_the_server_of_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let (_running, admin) = start_server(folder.path());
    let rooms = async |variables: &[(&str, &str)], arguments: &[&str]| {
        let mut command = chatd(folder.path());
        command.env_remove("CHATD_ADMIN_LISTEN").envs(variables.iter().copied());
        command.args(["admin", "rooms"]).args(arguments);
        process::run(command).await
    };
    let found = (true, "no rooms".to_owned());
    let (at, token) = (admin.to_string(), ("CHATD_ADMIN_TOKEN_FILE", "token"));
    assert_eq!(rooms(&[token, ("CHATD_ADMIN_LISTEN", &at)], &[]).await, found, "the environment");
    assert_eq!(rooms(&[token], &["--admin-listen", &at]).await, found, "the server's own flag");
    let file = format!("admin-listen = '{admin}'\nadmin-token-file = 'token'\nmessage-rate = 5\n");
    std::fs::write(folder.path().join("chatd.toml"), file).unwrap();
    assert_eq!(rooms(&[], &[]).await, found, "the configuration file");
    std::fs::rename(folder.path().join("chatd.toml"), folder.path().join("other.toml")).unwrap();
    assert_eq!(rooms(&[], &["--config", "other.toml"]).await, found, "a configuration file that is named");
    let dotenv = format!("CHATD_ADMIN_LISTEN={admin}\nCHATD_ADMIN_TOKEN_FILE=token\nCHATD_ADMIN_URL=\n");
    std::fs::write(folder.path().join(".env"), dotenv).unwrap();
    assert_eq!(rooms(&[], &[]).await, found, ".env");

    for (arguments, expected) in [
        (&["--admin-listen", "off"][..], "the server has no admin listener".to_owned()),
        (
            &["--token", "another-token-of-16", "--token-file", "off"],
            format!(
                "the server at http://{admin} did not accept the token: name a file with its token by --token-file"
            ),
        ),
        (&["--token-file", "off"], format!("the server at http://{admin} needs a token")),
        (
            &["--url", "ftp://ana:secret@host/x"],
            "ftp://host is not the URL of an admin listener: expected http://HOST:PORT".to_owned(),
        ),
    ] {
        let (ok, output) = rooms(&[], arguments).await;
        assert!(!ok && output.starts_with(&format!("chatd: {expected}")), "{output}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_https_url_is_checked_against_the_certificates_in_ssl_cert_file() {
    let folder = tempfile::tempdir().unwrap();
    let (_running, admin) = start_server(folder.path());
    let identity = Identity::generate();
    let (certificate, _) = identity.write(folder.path());
    let proxy = identity.terminate(admin).await;
    let url = format!("https://localhost:{}", proxy.port());
    let rooms = async |trusted: &std::path::Path| {
        let mut command = chatd(folder.path());
        command.args(["admin", "rooms", "--url", &url, "--token-file", "token"]);
        command.env("SSL_CERT_FILE", trusted).env_remove("SSL_CERT_DIR");
        process::run(command).await
    };
    assert_eq!(rooms(&certificate).await, (true, "no rooms".to_owned()));

    let other = tempfile::tempdir().unwrap();
    let (untrusted, _) = Identity::generate().write(other.path());
    let (ok, output) = rooms(&untrusted).await;
    let expected = format!("chatd: the connection to {url} can't be encrypted: invalid peer certificate: ");
    assert!(!ok && output.starts_with(&expected), "{output}");
    assert!(!output.contains(TOKEN), "{output}");

    let (ok, output) = rooms(&folder.path().join("missing.pem")).await;
    let expected = "chatd: the certificates that this system trusts can't be read: ";
    assert!(!ok && output.starts_with(expected), "{output}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_tls_at_an_https_url_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let (_running, admin) = start_server(folder.path());
    let (certificate, _) = Identity::generate().write(folder.path());
    let url = format!("https://localhost:{}", admin.port());
    let mut command = chatd(folder.path());
    command.args(["admin", "rooms", "--url", &url, "--token-file", "token"]);
    command.env("SSL_CERT_FILE", certificate).env_remove("SSL_CERT_DIR");
    let (ok, output) = process::run(command).await;
    assert!(
        !ok && output.starts_with(&format!("chatd: the connection to {url} can't be encrypted: ")),
        "{output}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_on_this_machine_is_reached_without_the_proxy_of_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let (_running, admin) = start_server(folder.path());
    let mut command = chatd(folder.path());
    command.args(["admin", "rooms", "--url", &format!("http://{admin}"), "--token-file", "token"]);
    // nothing listens there
    command.env("HTTP_PROXY", "http://127.0.0.1:9").env("ALL_PROXY", "http://127.0.0.1:9");
    assert_eq!(process::run(command).await, (true, "no rooms".to_owned()));
}
