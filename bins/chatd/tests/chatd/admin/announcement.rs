//! The announcement, over the admin API and `chatd admin`.

use chat_testkit::http::{Answer, send_json};
use chat_testkit::v2::Session;
use serde_json::{Value, json};

use super::{TOKEN, api, run_admin, start_server};

#[tokio::test(flavor = "multi_thread")]
async fn an_announcement_is_made_shown_and_withdrawn_and_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (running, admin) = start_server(folder);
    let (succeeded, output) = run_admin(folder, admin, &["announcement"]).await;
    assert!(succeeded && output.trim() == "no announcement", "{output}");
    let mut ana = Session::hello(running.address, "ana").await;

    let set = ["announcement", "set", "--level", "warning", "we *move* on Friday"];
    let (succeeded, output) = run_admin(folder, admin, &set).await;
    assert!(succeeded && output.contains("all users see the announcement"), "{output}");
    let frame = ana.next("announcement").await;
    let expected = json!({ "id": frame["id"], "level": "warning", "body": "we *move* on Friday" });
    assert_eq!((&frame["level"], &frame["body"]), (&expected["level"], &expected["body"]));
    let (succeeded, output) = run_admin(folder, admin, &["announcement", "--json"]).await;
    let shown: Value = serde_json::from_str(&output).unwrap();
    assert!(succeeded && shown["announcement"]["id"] == frame["id"], "{output}");

    // the process is killed
    drop(running);
    let (running, admin) = start_server(folder);
    let mut ana = Session::hello(running.address, "ana").await;
    assert_eq!(ana.welcome["announcement"], expected);
    let (_, output) = run_admin(folder, admin, &["announcement"]).await;
    assert!(output.contains("warning") && output.contains("we *move* on Friday"), "{output}");

    let (succeeded, output) = run_admin(folder, admin, &["announcement", "withdraw", "--yes"]).await;
    assert!(succeeded && output.contains("withdrawn"), "{output}");
    let frame = ana.next("announcement").await;
    assert_eq!(frame, json!({ "type": "announcement", "id": expected["id"], "withdrawn": true }));
    let (succeeded, output) = run_admin(folder, admin, &["announcement", "withdraw"]).await;
    assert!(!succeeded && output.contains("there is no announcement"), "{output}");
    assert_eq!(api(admin, "GET", "/v1/announcement").await.json(), json!({}));

    // both changes are in the audit log, and what changed nothing is not
    let log = api(admin, "GET", "/v1/audit").await.json();
    let acts: Vec<_> = log["records"].as_array().unwrap().iter().map(|record| &record["act"]).collect();
    assert_eq!(acts, ["withdraw_announcement", "announce"]);
    let made = &log["records"][1];
    assert_eq!((made.get("by"), made.get("room"), made["number"].as_u64()), (None, None, Some(1)));
    let (succeeded, table) = run_admin(folder, admin, &["audit"]).await;
    assert!(succeeded && table.contains("the operator  withdraw_announcement"), "{table}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_announcement_that_is_not_valid_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (_running, admin) = start_server(folder.path());
    let put = async |body: Value| -> Answer {
        let token = format!("Authorization: Bearer {TOKEN}");
        send_json(admin, "PUT", "/v1/announcement", &[&token], &body).await
    };
    for (wrong, reason) in [
        (json!({ "body": "" }), "1 to 4096 bytes"),
        (json!({ "body": " \n" }), "white space"),
        (json!({ "body": "x".repeat(4_097) }), "1 to 4096 bytes"),
        (json!({ "level": "info" }), "missing field `body`"),
        (json!({ "body": "x", "level": "loud" }), "unknown variant"),
        (json!({ "body": "x", "room": "lobby" }), "unknown field"),
    ] {
        let answer = put(wrong.clone()).await;
        assert!([400, 422].contains(&answer.status), "{wrong}: {answer:?}");
        assert!(answer.json()["error"].as_str().unwrap().contains(reason), "{wrong}: {answer:?}");
    }
    assert_eq!(api(admin, "GET", "/v1/announcement").await.json(), json!({}), "nothing was made");
    let longest = put(json!({ "body": "x".repeat(4_096) })).await;
    assert_eq!((longest.status, &longest.json()["level"]), (200, &json!("info")));
    let again = put(json!({ "body": "x".repeat(4_096) })).await;
    assert_eq!(again.json(), longest.json(), "it is the same announcement");
    assert_eq!(api(admin, "DELETE", "/v1/announcement").await.status, 204);
    assert_eq!(api(admin, "DELETE", "/v1/announcement").await.status, 404);
}
