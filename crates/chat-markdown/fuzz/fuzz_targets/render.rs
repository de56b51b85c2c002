//! Any body: what comes out is allowed, bounded, and read by a parser as it is written.
#![no_main]

use std::sync::LazyLock;

use chat_markdown::{RemoteImages, Renderer};
use libfuzzer_sys::fuzz_target;

#[path = "../../tests/support/allowed.rs"]
mod allowed;

static RENDERERS: LazyLock<[Renderer; 2]> =
    LazyLock::new(|| [RemoteImages::AsLinks, RemoteImages::Shown].map(Renderer::new));

fuzz_target!(|body: &str| {
    for renderer in RENDERERS.iter() {
        allowed::assert_allowed(body, &renderer.render(body));
    }
});
