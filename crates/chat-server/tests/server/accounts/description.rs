use std::collections::HashSet;

use chat_testkit::http::request;
use serde_json::Value;

use crate::support::start_with_accounts;

#[tokio::test(flavor = "multi_thread")]
async fn the_description_is_served_and_up_to_date_in_docs() {
    let server = start_with_accounts(crate::support::config()).await;
    let served = request(server.address, "GET", "/api/v1/openapi.json", &[]).await;
    assert_eq!(served.header("content-type"), Some("application/json"));
    let written = include_str!("../../../../../docs/api.openapi.json");
    assert!(
        served.body == written.trim_end().as_bytes(),
        "docs/api.openapi.json is out of date: `just configuration` writes it again"
    );
    let described: Value = served.json();
    let operations: Vec<_> = described["paths"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|path| path.as_object().unwrap().values().map(|one| one["operationId"].as_str().unwrap()))
        .collect();
    let different: HashSet<_> = operations.iter().collect();
    assert_eq!((operations.len(), different.len()), (14, 14), "{operations:?}");
    server.stop().await.unwrap();
}
