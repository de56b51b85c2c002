//! Keys by https. Certificates are those of the system, which a variable of the process selects. So
//! the test runs itself again with that variable.

use std::env;
use std::process::Command;

use chat_accounts::{JwtErrorKind, JwtKeys};
use chat_testkit::tls::Identity;

use crate::support::{Issuer, Signer, claims, verifier};

const URL: &str = "CHAT_ACCOUNTS_TEST_JWKS_URL";
const TOKEN: &str = "CHAT_ACCOUNTS_TEST_TOKEN";
const IS_ACCEPTED: &str = "CHAT_ACCOUNTS_TEST_IS_ACCEPTED";

#[tokio::test(flavor = "multi_thread")]
async fn the_system_decides_which_certificates_are_trusted() {
    let signer = Signer::p256();
    let issuer = Issuer::with_keys(&[signer.jwk("1")]).await;
    let folder = tempfile::tempdir().unwrap();
    let identity = Identity::generate();
    let address = identity.terminate(issuer.address).await;
    let url = format!("https://localhost:{}/keys", address.port());
    let token = signer.sign("ES256", Some("1"), &claims());
    for (trusted, is_accepted) in [(&identity, true), (&Identity::generate(), false)] {
        let (certificate, _) = trusted.write(folder.path());
        let mut again = Command::new(env::current_exe().unwrap());
        again
            .args(["--exact", "https::in_another_process", "--nocapture"])
            .env("SSL_CERT_FILE", certificate)
            .env_remove("SSL_CERT_DIR")
            .env(URL, &url)
            .env(TOKEN, &token)
            .env(IS_ACCEPTED, is_accepted.to_string());
        let output = tokio::task::spawn_blocking(move || again.output()).await.unwrap().unwrap();
        let shown = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && shown.contains("1 passed"), "{is_accepted}: {output:?}");
    }
    assert_eq!(issuer.requests(), 1);
}

/// What the other test runs. It does nothing without the variables.
#[tokio::test]
async fn in_another_process() {
    let Ok(url) = env::var(URL) else { return };
    let verifier = verifier(JwtKeys::url(url).unwrap());
    let verified = verifier.verify(&env::var(TOKEN).unwrap()).await;
    if env::var(IS_ACCEPTED).unwrap() == "true" {
        verified.unwrap();
    } else {
        let error = verified.unwrap_err();
        assert_eq!(error.kind(), JwtErrorKind::Unavailable);
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("certificate"), "{cause}");
    }
}
