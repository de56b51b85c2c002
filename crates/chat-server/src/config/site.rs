//! What the site says about itself.

use std::fmt;
use std::str::FromStr;

use chat_protocol::{RoomName, SiteName, WelcomeText};
use url::Url;

/// The name of a site that has no other.
const NAME: &str = "chatd";

/// The room that is proposed unless another one is configured.
const ROOM: &str = "lobby";

/// What a page shows before its user is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// The name. `None`: "chatd".
    pub name: Option<SiteName>,
    /// The logo. `None`: the one of the page.
    pub logo: Option<Logo>,
    /// A text in Markdown that welcomes users.
    pub welcome: Option<WelcomeText>,
    /// The room that is proposed to new users. `None`: "lobby".
    pub default_room: Option<RoomName>,
}

impl Default for Site {
    /// The site "chatd" with the page's own logo, no welcome text, and the room "lobby".
    fn default() -> Self {
        Self { name: NAME.parse().ok(), logo: None, welcome: None, default_room: ROOM.parse().ok() }
    }
}

impl Site {
    /// The name.
    pub fn name(&self) -> &str {
        self.name.as_ref().map_or(NAME, SiteName::as_str)
    }

    /// The room that is proposed to new users.
    pub fn default_room(&self) -> &str {
        self.default_room.as_ref().map_or(ROOM, RoomName::as_str)
    }
}

/// The address of an image: an http or https URL, or a path on the same server.
///
/// ```
/// use chat_server::Logo;
///
/// let logo: Logo = "https://cdn.example.org/logo.svg".parse()?;
/// assert_eq!(logo.as_str(), "https://cdn.example.org/logo.svg");
/// assert!("/images/logo.png".parse::<Logo>().is_ok());
/// assert!("logo.png".parse::<Logo>().is_err());
/// # Ok::<(), chat_server::LogoError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logo {
    /// As it is written in the page.
    text: String,
    /// What the page's policy has to allow. `None` for an image of the same server.
    policy_source: Option<String>,
}

/// Why a text is not the address of a [`Logo`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LogoError {
    /// It is neither a URL nor a path.
    #[error("expected an http or https URL of an image, or a path such as /logo.svg")]
    Form,
    /// The text is too long.
    #[error("the address of a logo must not be longer than {} characters", Logo::MAX)]
    TooLong,
    /// The URL contains a user or a password.
    #[error("the URL of a logo must not contain a user or a password")]
    Credentials,
    /// The address has a fragment.
    #[error("the address of a logo must not contain a #")]
    Fragment,
    /// The address ends with a slash, so that it names a folder.
    #[error("the address of a logo must name an image, not a folder")]
    Folder,
}

impl Logo {
    /// The maximum number of characters.
    pub const MAX: usize = 1_000;

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What the `img-src` of the page's policy has to allow: this image of another server, and no
    /// other. `None` for an image of the same server.
    pub(crate) fn policy_source(&self) -> Option<&str> {
        self.policy_source.as_deref()
    }
}

impl fmt::Display for Logo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Logo {
    type Err = LogoError;

    fn from_str(text: &str) -> Result<Self, LogoError> {
        /// Any server: a path is resolved as a browser does it.
        const HERE: &str = "http://here.invalid";
        if text.chars().nth(Self::MAX).is_some() {
            return Err(LogoError::TooLong);
        }
        let is_path = text.starts_with('/');
        // `//server/path` names another server, and browsers take a backslash for a slash
        let is_other_server = text.contains('\\') || (is_path && text[1..].starts_with('/'));
        if is_other_server || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(LogoError::Form);
        }
        let url = if is_path { Url::parse(&format!("{HERE}{text}")) } else { Url::parse(text) };
        let url = url.map_err(|_| LogoError::Form)?;
        let host = url.host_str().unwrap_or_default();
        // a `*` would stand for any server in the policy
        if !["http", "https"].contains(&url.scheme()) || host.is_empty() || host.contains('*') {
            return Err(LogoError::Form);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(LogoError::Credentials);
        }
        if url.fragment().is_some() {
            return Err(LogoError::Fragment);
        }
        // in the policy, it would allow every image below
        if url.path().ends_with('/') {
            return Err(LogoError::Folder);
        }
        let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
        if is_path {
            return Ok(Self { text: format!("{}{query}", url.path()), policy_source: None });
        }
        // the origin of such a URL is its scheme, host and port; the two characters separate
        // directives and policies
        let path = url.path().replace(';', "%3B").replace(',', "%2C");
        let policy_source = Some(format!("{}{path}", url.origin().ascii_serialization()));
        Ok(Self { text: url.into(), policy_source })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_logo_is_an_image_of_this_server_or_of_another_one() {
        for (text, written, source) in [
            ("/logo.svg", "/logo.svg", None),
            ("/a/../b c.png?v=2".replace(' ', "%20").as_str(), "/b%20c.png?v=2", None),
            ("/bücher.png", "/b%C3%BCcher.png", None),
            (
                "https://cdn.example.org/logo.png",
                "https://cdn.example.org/logo.png",
                Some("https://cdn.example.org/logo.png"),
            ),
            (
                "HTTPS://CDN.example.org:443/l.png?v=2",
                "https://cdn.example.org/l.png?v=2",
                Some("https://cdn.example.org/l.png"),
            ),
            (
                "http://127.0.0.1:8080/l.png",
                "http://127.0.0.1:8080/l.png",
                Some("http://127.0.0.1:8080/l.png"),
            ),
            ("https://[::1]/l.png", "https://[::1]/l.png", Some("https://[::1]/l.png")),
            ("https://e.org/a;b,c'd.png", "https://e.org/a;b,c'd.png", Some("https://e.org/a%3Bb%2Cc'd.png")),
            (
                "https://bücher.example/l.png",
                "https://xn--bcher-kva.example/l.png",
                Some("https://xn--bcher-kva.example/l.png"),
            ),
        ] {
            let logo: Logo = text.parse().unwrap();
            assert_eq!((logo.as_str(), logo.policy_source()), (written, source), "{text}");
        }
    }

    #[test]
    fn anything_else_is_not_a_logo() {
        for (text, error) in [
            ("", LogoError::Form),
            ("logo.svg", LogoError::Form),
            ("//e.org/l.png", LogoError::Form),
            ("/\\e.org/l.png", LogoError::Form),
            ("https:\\\\e.org\\l.png", LogoError::Form),
            ("ftp://e.org/l.png", LogoError::Form),
            ("data:image/png;base64,AAAA", LogoError::Form),
            ("javascript:alert(1)", LogoError::Form),
            ("https://", LogoError::Form),
            ("https://*.example.org/l.png", LogoError::Form),
            ("https://*/l.png", LogoError::Form),
            ("https://e.org/a b.png", LogoError::Form),
            ("/a\nb.png", LogoError::Form),
            ("https://ana@e.org/l.png", LogoError::Credentials),
            ("https://ana:secret@e.org/l.png", LogoError::Credentials),
            ("https://e.org/l.svg#icon", LogoError::Fragment),
            ("/l.svg#icon", LogoError::Fragment),
            ("https://e.org", LogoError::Folder),
            ("https://e.org/images/", LogoError::Folder),
            ("/", LogoError::Folder),
            (&format!("/{}", "x".repeat(Logo::MAX)), LogoError::TooLong),
        ] {
            assert_eq!(text.parse::<Logo>(), Err(error), "{text}");
        }
    }
}
