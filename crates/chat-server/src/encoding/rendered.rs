//! Messages rendered to HTML.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use chat_markdown::{RemoteImages, Renderer};
use chat_protocol::v2::{self, Written};
use chat_protocol::{RoomName, Timestamp, Topic};
use chat_rooms::IsGone;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

/// Maximum size of the HTML cache, in bytes. Most of what newcomers to a room request was rendered
/// shortly before.
const CACHE_BYTES: u64 = 32 << 20;

/// Bytes a message counts in the cache in addition to its HTML.
const MESSAGE_OVERHEAD: u64 = 256;

/// Estimated length of a message's HTML. It only affects the layout of the cache's tables.
const ESTIMATED_BYTES: usize = 512;

/// A room, the number of the message, and that of the last event that changed it.
type Key = (RoomName, u64, Option<u64>);

/// Renders messages, each once while it is cached.
pub(crate) struct Rendered {
    renderer: Renderer,
    cache: Cache<Key, Html, ByLength>,
}

/// A rendered message.
#[derive(Debug, Clone)]
struct Html {
    sent_at: Timestamp,
    text: Arc<str>,
}

#[derive(Debug, Clone)]
struct ByLength;

impl Weighter<Key, Html> for ByLength {
    fn weight(&self, _: &Key, html: &Html) -> u64 {
        MESSAGE_OVERHEAD + html.text.len() as u64
    }
}

impl Rendered {
    pub(crate) fn new(images: RemoteImages) -> Self {
        let cache = Cache::with_weighter(CACHE_BYTES as usize / ESTIMATED_BYTES, CACHE_BYTES, ByLength);
        Self { renderer: Renderer::new(images), cache }
    }

    /// The sanitised HTML of a text that is not a message.
    pub(crate) fn render(&self, body: &str) -> Arc<str> {
        self.renderer.render(body).into()
    }

    /// Removes redacted messages from the cache.
    pub(crate) fn redact(&self, is_gone: IsGone<'_>) {
        self.cache.retain(|(room, seq, _), html| !is_gone(room, *seq, html.sent_at));
    }
}

impl v2::Renderer for Rendered {
    fn message(&self, message: Written<'_>) -> Arc<str> {
        let key = (message.room.clone(), message.seq, message.changed_seq);
        let render = || {
            let text = self.renderer.render(message.body).into();
            Ok::<_, Infallible>(Html { sent_at: message.sent_at, text })
        };
        let Ok(html) = self.cache.get_or_insert_with(&key, render);
        html.text
    }

    fn topic(&self, topic: &Topic) -> Arc<str> {
        self.render(topic.as_str())
    }
}

impl fmt::Debug for Rendered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rendered").field("kept", &self.cache.len()).finish_non_exhaustive()
    }
}
