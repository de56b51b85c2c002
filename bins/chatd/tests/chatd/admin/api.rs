//! The description of the admin API.

use serde_json::Value;

use crate::process::chatd;

#[test]
fn the_description_in_docs_is_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let output = chatd(folder.path()).args(["admin", "openapi"]).output().unwrap().stdout;
    let described: Value = serde_json::from_slice(&output).unwrap();
    let paths = described["paths"].as_object().unwrap().values();
    let ids: Vec<_> =
        paths.flat_map(|path| path.as_object().unwrap().values()).map(|one| &one["operationId"]).collect();
    let different: std::collections::HashSet<_> = ids.iter().map(|id| id.as_str().unwrap()).collect();
    assert_eq!((ids.len(), different.len()), (36, 36), "{ids:?}");
    let written = include_str!("../../../../../docs/admin.openapi.json");
    assert!(
        output == written.as_bytes(),
        "docs/admin.openapi.json is out of date: `just configuration` writes it again"
    );
}
