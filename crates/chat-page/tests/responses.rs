//! What a browser receives.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::io::Read;

use bytes::Bytes;
use chat_page::{Images, Pages};
use http::{Method, Request, Response, StatusCode};

fn request(method: Method, path: &str, headers: &[(&str, &str)]) -> Option<Response<Bytes>> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Pages::new(Images::Own).answer(&request.body(()).expect("a request").into_parts().0)
}

fn get(path: &str) -> Response<Bytes> {
    request(Method::GET, path, &[]).unwrap_or_else(|| panic!("{path} exists"))
}

fn header<'a>(response: &'a Response<Bytes>, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().expect("ASCII"))
}

/// The files that a text refers to, by absolute paths in quotes, or by relative imports.
fn references(path: &str, text: &str) -> BTreeSet<String> {
    let quoted = text.split(['"', '\'']).skip(1);
    let base = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    quoted
        .filter_map(|reference| {
            let is_file = reference.rsplit_once('.').is_some_and(|(_, ending)| {
                ["js", "css", "svg", "png", "webmanifest"].contains(&ending)
                    && !reference.contains([' ', '\n'])
            });
            match reference {
                _ if !is_file => None,
                _ if reference.starts_with('/') => Some(reference.to_owned()),
                _ if reference.starts_with("./") || reference.starts_with("../") => {
                    let mut parts: Vec<&str> = base.split('/').collect();
                    for part in reference.split('/') {
                        match part {
                            "." => {}
                            ".." => drop(parts.pop()),
                            part => parts.push(part),
                        }
                    }
                    Some(parts.join("/"))
                }
                _ => None,
            }
        })
        .collect()
}

#[test]
fn everything_the_page_refers_to_exists() {
    let (mut seen, mut open) = (BTreeSet::new(), vec!["/".to_owned()]);
    while let Some(path) = open.pop() {
        let response = get(&path);
        assert_eq!(response.status(), StatusCode::OK);
        let Ok(text) = String::from_utf8(response.body().to_vec()) else { continue };
        for found in references(&path, &text) {
            if seen.insert(found.clone()) {
                open.push(found);
            }
        }
    }
    assert!(seen.contains("/client.js") && seen.contains("/page/style.css") && seen.len() > 20, "{seen:?}");
}

#[test]
fn every_room_and_message_has_the_page_and_other_paths_do_not() {
    let page = get("/");
    assert_eq!(header(&page, "content-type"), "text/html; charset=utf-8");
    for place in ["/r/lobby", "/r/b%C3%BCro", "/r/..", "/r/a?b=c", "/r/lobby/41", "/r/b%C3%BCro/1?b=c"] {
        assert_eq!(get(place).body(), page.body(), "{place}");
    }
    for path in [
        "/r/a/b",
        "/r/a/b/",
        "/r/a/1x",
        "/r/a/1/2",
        "/r//1",
        "/rooms",
        "/page",
        "/page/",
        "/page/index.html",
        "/page/not-found.html",
        "/page/sw.js",
        "/page/none.js",
        "/not%20found",
        "/index.html",
        "/ws",
        "/x",
    ] {
        assert!(request(Method::GET, path, &[]).is_none(), "{path}");
    }
    for path in ["/page/../Cargo.toml", "/page/..%2fCargo.toml", "/page//etc/passwd", "/page/state"] {
        assert!(request(Method::GET, path, &[]).is_none(), "{path}");
    }
}

#[test]
fn an_almost_correct_address_is_redirected() {
    for (path, location) in [
        ("/r", "/"),
        ("/r/", "/"),
        ("/r//", "/"),
        ("/r/lobby/", "/r/lobby"),
        ("/r/b%C3%BCro/?a=b", "/r/b%C3%BCro?a=b"),
        ("/r/lobby/41/", "/r/lobby/41"),
        ("/r//example.org/", "/r/example.org"),
    ] {
        for method in [Method::GET, Method::HEAD] {
            let response = request(method, path, &[]).unwrap_or_else(|| panic!("{path} is answered"));
            assert_eq!(response.status(), StatusCode::PERMANENT_REDIRECT, "{path}");
            assert_eq!(header(&response, "location"), location, "{path}");
            assert!(header(&response, "content-security-policy").starts_with("default-src 'none'"));
        }
        assert!(request(Method::POST, path, &[]).is_none(), "{path}");
    }
}

#[test]
fn a_browser_gets_a_404_page_for_an_unknown_address() {
    let browser = [("accept", "text/html,application/xhtml+xml,*/*;q=0.8")];
    for path in ["/login", "/r/a/b", "/page/none.html", "/favicon.ico"] {
        let response = request(Method::GET, path, &browser).unwrap_or_else(|| panic!("{path} is answered"));
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
        assert_eq!(header(&response, "content-type"), "text/html; charset=utf-8");
        assert_eq!(header(&response, "etag"), "", "the 404 page has no etag");
        let text = String::from_utf8(response.body().to_vec()).unwrap();
        assert!(text.contains("Page not found") && text.contains("href=\"/\""), "{text}");
        for found in references(path, &text) {
            assert_eq!(get(&found).status(), StatusCode::OK, "{found}");
        }
        assert!(request(Method::GET, path, &[("accept", "*/*")]).is_none(), "programs get no 404 page");
        assert!(request(Method::POST, path, &browser).is_none());
    }
    let known = [browser[0], ("if-none-match", "*")];
    assert_eq!(request(Method::GET, "/login", &known).unwrap().status(), StatusCode::NOT_FOUND);
    assert_eq!(request(Method::HEAD, "/login", &browser).unwrap().body().len(), 0);
    assert_eq!(request(Method::GET, "/r/lobby", &browser).unwrap().status(), StatusCode::OK);
}

#[test]
fn the_service_worker_is_served_from_the_root() {
    let worker = get("/sw.js");
    assert_eq!(header(&worker, "content-type"), "text/javascript; charset=utf-8");
    assert!(header(&worker, "content-security-policy").contains("connect-src 'self'"));
}

#[test]
fn the_policy_blocks_inline_code_and_other_origins() {
    let page = get("/");
    let policy = header(&page, "content-security-policy");
    assert!(
        policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;")
    );
    assert!(!policy.contains("unsafe") && !policy.contains("http") && !policy.contains('*'), "{policy}");
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cache-control", "no-cache"),
    ] {
        assert_eq!(header(&page, name), value);
    }
    assert!(page.headers().contains_key("permissions-policy"));
    let text = String::from_utf8(page.body().to_vec()).unwrap();
    assert!(!text.contains(" style=") && !text.contains(" onclick") && !text.contains("<style"));
    assert_eq!(text.matches("<script").count(), text.matches("<script type=\"module\" src=\"/").count());
}

#[test]
fn remote_images_are_allowed_only_if_configured() {
    let request = Request::get("/").body(()).unwrap().into_parts().0;
    let page = Pages::new(Images::Remote).answer(&request).unwrap();
    assert!(header(&page, "content-security-policy").contains("img-src 'self' data: https:;"));
}

#[test]
fn one_image_of_another_server_can_be_allowed() {
    let images = |pages: &Pages| {
        let page = pages.answer(&Request::get("/r/lobby").body(()).unwrap().into_parts().0).unwrap();
        let (_, images) = header(&page, "content-security-policy").split_once("img-src ").unwrap();
        images.split(';').next().unwrap().to_owned()
    };
    let pages = Pages::new(Images::Own);
    pages.allow_image(Some("https://cdn.example.org/logo.png")).unwrap();
    assert_eq!(images(&pages), "'self' data: https://cdn.example.org/logo.png");
    pages.allow_image(Some("http://127.0.0.1:8080/a.png")).unwrap();
    assert_eq!(images(&pages), "'self' data: http://127.0.0.1:8080/a.png");
    for wrong in [
        "https://e.org/a; script-src *",
        "https://e.org/a,b",
        "https://*.e.org/a",
        "https:",
        "'self'",
        "*",
        "",
        "https://e.org/\n",
        "https://é.org/a",
    ] {
        // "https:" alone is a scheme, which would allow every server
        assert!(pages.allow_image(Some(wrong)).is_err(), "{wrong}");
        assert_eq!(images(&pages), "'self' data:", "{wrong}");
    }
    pages.allow_image(Some("https://cdn.example.org/logo.png")).unwrap();
    pages.allow_image(None).unwrap();
    assert_eq!(images(&pages), "'self' data:");

    let pages = Pages::new(Images::Remote);
    pages.allow_image(Some("https://cdn.example.org/logo.png")).unwrap();
    assert_eq!(images(&pages), "'self' data: https:");
    pages.allow_image(Some("http://cdn.example.org/logo.png")).unwrap();
    assert_eq!(images(&pages), "'self' data: http://cdn.example.org/logo.png https:");
}

#[test]
fn any_page_may_import_the_client() {
    let client = get("/client.js");
    assert_eq!(header(&client, "access-control-allow-origin"), "*");
    assert_eq!(header(&client, "cross-origin-resource-policy"), "cross-origin");
    assert_eq!(header(&client, "content-type"), "text/javascript; charset=utf-8");
    assert!(get("/client.d.ts").body().starts_with(b"/"));
    assert_eq!(header(&get("/page/main.js"), "access-control-allow-origin"), "");
}

#[test]
fn the_emoji_list_is_served_and_cached() {
    let list = get("/emoji.json");
    assert_eq!(header(&list, "content-type"), "application/json");
    let text = std::str::from_utf8(list.body()).unwrap();
    assert!(text.starts_with("[[\"Smileys & emotion\",[[\"😀\",\"grinning face\",\"grinning\"],"));
    assert!(text.contains("[\"🎉\",\"party popper\",\"tada\"]"));
    assert!(text.contains("[\"👍\",\"thumbs up\",\"+1\",\"thumbsup\"]"));
    let known = [("if-none-match", header(&list, "etag"))];
    let repeated = request(Method::GET, "/emoji.json", &known).unwrap();
    assert_eq!((repeated.status(), repeated.body().len()), (StatusCode::NOT_MODIFIED, 0));
    let compressed = request(Method::GET, "/emoji.json", &[("accept-encoding", "gzip")]).unwrap();
    assert!(compressed.body().len() < 48 * 1_024, "{}", compressed.body().len());
}

#[test]
fn gzip_is_the_same_file_but_smaller() {
    for path in ["/", "/client.js", "/page/style.css"] {
        let plain = get(path);
        assert_eq!(header(&plain, "content-encoding"), "");
        assert_eq!(header(&plain, "vary"), "accept-encoding");
        let gzip = request(Method::GET, path, &[("accept-encoding", "gzip, deflate, br")]).unwrap();
        assert_eq!(header(&gzip, "content-encoding"), "gzip");
        assert_eq!(header(&gzip, "content-length"), gzip.body().len().to_string());
        assert!(gzip.body().len() < plain.body().len() / 2);
        let mut decoded = Vec::new();
        flate2::read::GzDecoder::new(&gzip.body()[..]).read_to_end(&mut decoded).unwrap();
        assert_eq!(plain.body(), &decoded);
    }
}

#[test]
fn a_current_copy_is_not_sent_again() {
    let first = get("/page/main.js");
    let etag = header(&first, "etag");
    let repeated = request(Method::GET, "/page/main.js", &[("if-none-match", etag)]).unwrap();
    assert_eq!((repeated.status(), repeated.body().len()), (StatusCode::NOT_MODIFIED, 0));
    assert_eq!(header(&repeated, "etag"), etag);
    let other = request(Method::GET, "/page/main.js", &[("if-none-match", "\"x\"")]).unwrap();
    assert_eq!(other.status(), StatusCode::OK);
    assert_ne!(header(&get("/client.js"), "etag"), etag);
}

#[test]
fn head_and_other_methods_follow_http() {
    let head = request(Method::HEAD, "/", &[]).unwrap();
    assert_eq!((head.status(), head.body().len()), (StatusCode::OK, 0));
    assert_eq!(header(&head, "content-length"), get("/").body().len().to_string());
    let post = request(Method::POST, "/", &[]).unwrap();
    assert_eq!((post.status(), header(&post, "allow")), (StatusCode::METHOD_NOT_ALLOWED, "GET, HEAD"));
}

#[test]
fn the_first_view_is_small() {
    // Everything that is loaded before a user can type a name.
    let index = get("/");
    let text = String::from_utf8(index.body().to_vec()).unwrap();
    let mut files = references("/", &text);
    files.insert("/".into());
    let sizes = files
        .iter()
        .map(|path| request(Method::GET, path, &[("accept-encoding", "gzip")]).unwrap().body().len());
    let total: usize = sizes.sum();
    assert!((10_000..64 * 1_024).contains(&total), "{total} bytes");
}

#[test]
fn the_pages_and_the_installed_app_have_the_name_of_the_site() {
    let pages = Pages::new(Images::Own);
    let get = |path: &str| {
        let request = Request::get(path).header("accept", "text/html").body(()).expect("a request");
        let response = pages.answer(&request.into_parts().0).expect("an answer");
        let etag = header(&response, "etag").to_owned();
        (String::from_utf8(response.into_body().to_vec()).expect("a text"), etag)
    };
    let before = ["/", "/nothing", "/page/manifest.webmanifest"].map(get);
    pages.set_site_name("Tea & \"cake\"");
    let after = ["/", "/nothing", "/page/manifest.webmanifest"].map(get);
    assert!(after[0].0.contains("<title>Tea &amp; \"cake\"</title>"));
    assert!(after[1].0.contains("<title>Page not found – Tea &amp; \"cake\"</title>"));
    assert!(after[2].0.contains(r#""name": "Tea & \"cake\"","#));
    for (before, after) in before.iter().zip(&after) {
        assert!(before.0 != after.0 && (before.1 != after.1 || before.1.is_empty()), "{after:?}");
    }
    let script = get("/page/main.js");
    pages.set_site_name("chatd");
    assert_eq!(get("/page/main.js"), script);
    assert_eq!(get("/").0, before[0].0);
}
