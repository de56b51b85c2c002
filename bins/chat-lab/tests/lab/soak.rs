//! A short soak test with the built programs. Only a long one shows whether the memory grows.

use serde_json::Value;

use crate::{chat_lab, chatd};

#[test]
fn restarts_breaks_and_slow_readers_cost_no_message() {
    let output = chat_lab()
        .args(["soak", "--duration", "20s", "--rooms", "2", "--members", "8", "--classic", "2", "--json"])
        .args(["--rate", "200", "--size", "8192", "--chatd"])
        .arg(chatd())
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    for fault in ["lost", "duplicated", "out_of_order"] {
        assert_eq!(report["faults"][fault], 0, "{report}");
    }
    assert_eq!(report["violations"], serde_json::json!({}), "{report}");
    assert_eq!(report["sent"], report["acked"], "{report}");
    assert_eq!(report["restarts"], 4, "{report}");
    for exercised in
        ["sent", "delivered", "delivered_classic", "reconnects", "slow_readers_disconnected", "guest_visits"]
    {
        assert!(report[exercised].as_u64().unwrap() > 0, "{exercised}: {report}");
    }
}

#[test]
fn a_server_that_does_not_start_is_an_error() {
    let output = chat_lab().args(["soak", "--chatd", "/bin/false"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("does not start"), "{output:?}");
}
