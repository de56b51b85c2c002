//! The files of the page and their metadata.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::sync::{Mutex, PoisonError, RwLock};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::HeaderValue;
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::{emoji, site_name};

#[derive(RustEmbed)]
#[folder = "page/"]
struct PageFiles;

#[derive(RustEmbed)]
#[folder = "../../clients/js/"]
#[include = "client.js"]
#[include = "client.d.ts"]
struct ClientFiles;

/// Which pages may load a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    /// The page of this server.
    Page,
    /// Pages of any origin.
    Everyone,
}

/// A file as it is served.
#[derive(Debug, Clone)]
pub(crate) struct Asset {
    pub(crate) content_type: &'static str,
    pub(crate) audience: Audience,
    pub(crate) plain: Bytes,
    /// The gzip encoding, if it is smaller.
    pub(crate) gzip: Option<Bytes>,
    pub(crate) etag: HeaderValue,
}

/// The files, and the name of the site in them.
#[derive(Debug, Default)]
pub(crate) struct Assets {
    /// The files requested so far, by path, with the hash of their contents.
    cached: Mutex<HashMap<String, ([u8; 32], Asset)>>,
    /// `None`: the name that the files have.
    site_name: RwLock<Option<String>>,
}

impl Assets {
    /// Sets the name of the site.
    pub(crate) fn set_site_name(&self, name: &str) {
        // A value is replaced as a whole, so it is valid even if a lock is poisoned.
        *self.site_name.write().unwrap_or_else(PoisonError::into_inner) = Some(name.to_owned());
        self.cached.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Returns the file at a path, or `None` if there is none. It is compressed on the first
    /// request, and again if its contents have changed.
    pub(crate) fn get(&self, path: &str) -> Option<Asset> {
        let File { name, audience, data, hash } = find(path)?;
        let site_name = self.site_name.read().unwrap_or_else(PoisonError::into_inner);
        // The map is consistent even if the lock is poisoned: it is only changed by a single
        // insertion.
        let mut cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, asset)) = cached.get(path).filter(|(cached, _)| *cached == hash) {
            return Some(asset.clone());
        }
        let text = str::from_utf8(&data).ok();
        let named = site_name.as_ref().zip(text).and_then(|(site, text)| site_name::insert(site, name, text));
        // The names of sites are in the tag, too: the contents differ by them.
        let tag = etag(&hash, named.is_some().then_some(site_name.as_deref()).flatten())?;
        let plain = match (named, text) {
            (Some(named), _) => Bytes::from(named),
            (None, Some(script)) if name.ends_with(".js") => Bytes::from(without_comments(script)),
            _ => Bytes::from(data.into_owned()),
        };
        let asset =
            Asset { content_type: content_type(name), audience, gzip: gzip(&plain), plain, etag: tag };
        // Only paths of files get here, so the map is bounded. All rooms share one path.
        cached.insert(path.to_owned(), (hash, asset.clone()));
        Some(asset)
    }
}

/// The key of the 404 page. No request has this path.
pub(crate) const NOT_FOUND: &str = "not found";

/// Files that are not served under `/page/` with their name.
const NOT_UNDER_PAGE: [&str; 3] = ["index.html", "not-found.html", "sw.js"];

/// A file before compression.
struct File<'p> {
    name: &'p str,
    audience: Audience,
    data: Cow<'static, [u8]>,
    hash: [u8; 32],
}

impl<'p> File<'p> {
    fn page(name: &'p str) -> Option<Self> {
        Some(Self::embedded(name, Audience::Page, PageFiles::get(name)?))
    }

    fn embedded(name: &'p str, audience: Audience, file: EmbeddedFile) -> Self {
        Self { name, audience, hash: file.metadata.sha256_hash(), data: file.data }
    }
}

/// Finds the file at a path.
fn find(path: &str) -> Option<File<'_>> {
    match path {
        "/client.js" | "/client.d.ts" => {
            let name = &path[1..];
            Some(File::embedded(name, Audience::Everyone, ClientFiles::get(name)?))
        }
        "/" => File::page("index.html"),
        NOT_FOUND => File::page("not-found.html"),
        // The scope of a service worker is the folder it is served from: here the whole site.
        "/sw.js" => File::page("sw.js"),
        emoji::PATH => {
            let (list, hash) = &*emoji::LIST;
            Some(File { name: path, audience: Audience::Page, data: list.as_bytes().into(), hash: *hash })
        }
        _ => File::page(path.strip_prefix("/page/").filter(|name| !NOT_UNDER_PAGE.contains(name))?),
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

/// A script without the comments that have lines of their own: a browser does not read them, and
/// they are a fifth of what it loads. The numbers of the lines stay, for error reports.
fn without_comments(script: &str) -> String {
    let mut is_in_comment = false;
    let mut out = String::with_capacity(script.len());
    for line in script.split_inclusive('\n') {
        let text = line.trim();
        is_in_comment |= text.starts_with("/*");
        if !is_in_comment && !text.starts_with("//") {
            out.push_str(line);
        } else if line.ends_with('\n') {
            out.push('\n');
        }
        is_in_comment &= !text.ends_with("*/");
    }
    out
}

fn gzip(plain: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).ok()?;
    let compressed = encoder.finish().ok()?;
    (compressed.len() < plain.len()).then(|| compressed.into())
}

/// Weak, because it identifies the file in both encodings (RFC 9110, section 8.8.1).
fn etag(hash: &[u8; 32], site_name: Option<&str>) -> Option<HeaderValue> {
    let mut digits: String = hash[..12].iter().map(|byte| format!("{byte:02x}")).collect();
    if let Some(site_name) = site_name {
        let mut hasher = DefaultHasher::new();
        site_name.hash(&mut hasher);
        let _ = write!(digits, "-{:016x}", hasher.finish());
    }
    HeaderValue::from_str(&format!("W/\"{digits}\"")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_removed_and_lines_keep_their_numbers() {
        let script =
            "// one\nlet a = 1; // two\n  /** three */\n  /*\n   * four\n   */\nlet b = '/* five';\n";
        assert_eq!(without_comments(script), "\nlet a = 1; // two\n\n\n\n\nlet b = '/* five';\n");
        assert_eq!(without_comments("// end"), "");
    }

    /// A line that looks like a comment could be in a template of several lines, of which there are
    /// none, and a comment could end before its line does.
    #[test]
    fn what_is_removed_is_a_comment() {
        let (page, client) = (PageFiles::iter(), ClientFiles::iter());
        for name in page.chain(client).filter(|name| name.ends_with(".js")) {
            let file = PageFiles::get(&name).or_else(|| ClientFiles::get(&name)).unwrap();
            let script = str::from_utf8(&file.data).unwrap();
            let kept = without_comments(script);
            assert_eq!(script.lines().count(), kept.lines().count(), "{name}");
            for (number, (line, kept)) in script.lines().zip(kept.lines()).enumerate() {
                let (place, text) = (format!("{name}:{}", number + 1), line.trim());
                if line != kept {
                    assert!(text.ends_with("*/") || !text.contains("*/"), "{place}");
                    continue;
                }
                let mut quotes = line.replace("\\`", "").replace("'`'", "");
                // a backtick in a regular expression
                for pattern in ["/`/", "/`+/", "(`{3,}"] {
                    quotes = quotes.replace(pattern, "");
                }
                assert_eq!(quotes.matches('`').count() % 2, 0, "a template of several lines: {place}");
            }
        }
    }

    #[test]
    fn every_file_has_a_content_type() {
        let (page, client) = (PageFiles::iter(), ClientFiles::iter());
        let names: Vec<_> = page.chain(client).collect();
        assert!(names.len() > 20, "{names:?}");
        for name in names {
            assert_ne!(content_type(&name), "application/octet-stream", "{name}");
        }
    }
}
