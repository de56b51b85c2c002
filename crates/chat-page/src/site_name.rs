//! The name of the site in the files that a browser or another program reads without running a
//! script: the titles of tabs and link previews, and the name of the installed page.

/// How the files name the site.
const NAME: &str = "chatd";

/// The text of a file with another name of the site, or `None` if the file does not have it.
pub(crate) fn insert(name: &str, file: &str, text: &str) -> Option<String> {
    let (place, named) = match file.rsplit_once('.')?.1 {
        "html" => (format!("{NAME}</title>"), format!("{}</title>", escape(name))),
        "webmanifest" => (format!("\"{NAME}\""), serde_json::Value::from(name).to_string()),
        _ => return None,
    };
    Some(text.replace(&place, &named))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_text_whatever_it_contains() {
        let name = r#"</title><script>"Tea" & \cake"#;
        let html = insert(name, "index.html", "<title>Page not found – chatd</title> chatd").unwrap();
        let escaped = r#"&lt;/title&gt;&lt;script&gt;"Tea" &amp; \cake"#;
        assert_eq!(html, format!("<title>Page not found – {escaped}</title> chatd"));
        let manifest = insert(name, "manifest.webmanifest", r#"{"name": "chatd", "id": "/"}"#).unwrap();
        let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
        assert_eq!((&manifest["name"], &manifest["id"]), (&name.into(), &"/".into()));
        assert_eq!(insert(name, "main.js", "'chatd'"), None);
    }
}
