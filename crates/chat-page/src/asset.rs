//! The files of the page, and what is known of them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Write;
use std::sync::Mutex;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::HeaderValue;
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::emoji;

#[derive(RustEmbed)]
#[folder = "page/"]
struct PageFiles;

#[derive(RustEmbed)]
#[folder = "../../clients/js/"]
#[include = "client.js"]
#[include = "client.d.ts"]
struct ClientFiles;

/// Who may load a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Our own page.
    Page,
    /// Pages of every origin.
    Everyone,
}

/// A file as it is answered.
#[derive(Debug, Clone)]
pub(crate) struct Asset {
    pub(crate) content_type: &'static str,
    pub(crate) audience: Audience,
    pub(crate) plain: Bytes,
    /// The same in gzip, where that is smaller.
    pub(crate) gzip: Option<Bytes>,
    pub(crate) etag: HeaderValue,
}

/// The files that were asked for, by path, with the hash of what was in them.
#[derive(Debug, Default)]
pub(crate) struct Assets(Mutex<HashMap<String, ([u8; 32], Asset)>>);

impl Assets {
    /// What is answered to a path; none where there is nothing. Compressed when it is asked for first.
    pub(crate) fn get(&self, path: &str) -> Option<Asset> {
        let File { name, audience, data, hash } = find(path)?;
        // whoever panicked with it has left it whole: it is changed by one insertion
        let mut known = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some((_, asset)) = known.get(path).filter(|(known, _)| *known == hash) {
            return Some(asset.clone());
        }
        let plain = Bytes::from(data.into_owned());
        let asset = Asset {
            content_type: content_type(name),
            audience,
            gzip: gzip(&plain),
            plain,
            etag: etag(&hash)?,
        };
        // only paths of files come here, so there are no more than files, and rooms share one
        known.insert(path.to_owned(), (hash, asset.clone()));
        Some(asset)
    }
}

/// Stands for the page that says that there is nothing at an address. No request has this path.
pub(crate) const NOT_FOUND: &str = "not found";

/// Files that have another address than `/page/` and their name, or none.
const ELSEWHERE: [&str; 3] = ["index.html", "not-found.html", "sw.js"];

/// A file before it is compressed.
struct File<'p> {
    name: &'p str,
    audience: Audience,
    data: Cow<'static, [u8]>,
    hash: [u8; 32],
}

impl<'p> File<'p> {
    fn of_page(name: &'p str) -> Option<Self> {
        Some(Self::embedded(name, Audience::Page, PageFiles::get(name)?))
    }

    fn embedded(name: &'p str, audience: Audience, file: EmbeddedFile) -> Self {
        Self { name, audience, hash: file.metadata.sha256_hash(), data: file.data }
    }
}

/// The file that a path stands for.
fn find(path: &str) -> Option<File<'_>> {
    match path {
        "/client.js" | "/client.d.ts" => {
            let name = &path[1..];
            Some(File::embedded(name, Audience::Everyone, ClientFiles::get(name)?))
        }
        "/" => File::of_page("index.html"),
        NOT_FOUND => File::of_page("not-found.html"),
        // a service worker answers for the folder that it comes from, and those below
        "/sw.js" => File::of_page("sw.js"),
        emoji::PATH => {
            let (list, hash) = &*emoji::LIST;
            Some(File { name: path, audience: Audience::Page, data: list.as_bytes().into(), hash: *hash })
        }
        _ => File::of_page(path.strip_prefix("/page/").filter(|name| !ELSEWHERE.contains(name))?),
    }
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("json") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        Some("ts") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

fn gzip(plain: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).ok()?;
    let compressed = encoder.finish().ok()?;
    (compressed.len() < plain.len()).then(|| compressed.into())
}

/// Weak, since it stands for the file in either encoding (RFC 9110, section 8.8.1).
fn etag(hash: &[u8; 32]) -> Option<HeaderValue> {
    let digits: String = hash[..12].iter().map(|byte| format!("{byte:02x}")).collect();
    HeaderValue::from_str(&format!("W/\"{digits}\"")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_has_a_type() {
        let (page, client) = (PageFiles::iter(), ClientFiles::iter());
        let names: Vec<_> = page.chain(client).collect();
        assert!(names.len() > 20, "{names:?}");
        for name in names {
            assert_ne!(content_type(&name), "application/octet-stream", "{name}");
        }
    }
}
