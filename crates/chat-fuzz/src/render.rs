//! Any body: the HTML contains only allowed content, is bounded, and means the same to an HTML
//! parser.

use std::sync::LazyLock;

use chat_markdown::{RemoteImages, Renderer};

#[path = "../../chat-markdown/tests/support/allowed.rs"]
mod allowed;

static RENDERERS: LazyLock<[Renderer; 2]> =
    LazyLock::new(|| [RemoteImages::AsLinks, RemoteImages::Shown].map(Renderer::new));

pub(crate) fn run(bytes: &[u8]) {
    let body = crate::text(bytes);
    for renderer in RENDERERS.iter() {
        allowed::assert_allowed(body, &renderer.render(body));
    }
}
