//! How the engine encodes events for each kind of connection. An event is encoded once, including
//! its WebSocket frame.

pub(crate) mod deflate;
pub(crate) mod frames;
pub(crate) mod rendered;

use std::sync::Arc;

use chat_protocol::{Event, classic, v2};
use chat_rooms::{Encoding, EncodingId, EngineBuilder, IsGone};

use crate::encoding::deflate::Deflater;
use crate::encoding::rendered::Rendered;

/// The engine's encodings, for connections without and with compression.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Encodings {
    plain: DialectEncodings,
    deflated: DialectEncodings,
}

/// The encodings of the dialects.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DialectEncodings {
    pub(crate) classic: EncodingId,
    pub(crate) v2: EncodingId,
    /// For sessions that asked for `html`.
    pub(crate) v2_html: EncodingId,
}

impl DialectEncodings {
    fn new() -> Self {
        Self { classic: EncodingId::new(), v2: EncodingId::new(), v2_html: EncodingId::new() }
    }
}

impl Encodings {
    /// Adds them to an engine. An encoding that no connection uses costs nothing.
    pub(crate) fn add_to(mut builder: EngineBuilder, rendered: &Arc<Rendered>) -> (EngineBuilder, Self) {
        let encodings = Self { plain: DialectEncodings::new(), deflated: DialectEncodings::new() };
        let deflater = Arc::<Deflater>::default();
        for (ids, deflater) in [(encodings.plain, None), (encodings.deflated, Some(deflater))] {
            let html = V2Html(Arc::clone(rendered));
            builder = builder
                .encoding(ids.classic, Framed { dialect: Classic, deflater: deflater.clone() })
                .encoding(ids.v2, Framed { dialect: V2, deflater: deflater.clone() })
                .encoding(ids.v2_html, Framed { dialect: html, deflater });
        }
        (builder, encodings)
    }

    /// Whether a session with this encoding has asked for `html`.
    pub(crate) fn has_html(&self, encoding: EncodingId) -> bool {
        encoding == self.plain.v2_html || encoding == self.deflated.v2_html
    }

    pub(crate) fn for_connection(&self, deflates: bool) -> DialectEncodings {
        if deflates { self.deflated } else { self.plain }
    }
}

/// How an event becomes JSON text.
trait Dialect: Send + Sync + 'static {
    fn write(&self, event: &Event, json: &mut Vec<u8>);

    /// Approximate length of that text, in bytes.
    fn size_hint(&self, event: &Event) -> usize;

    /// See [`Encoding::redact`].
    fn redact(&self, is_gone: IsGone<'_>) {
        let _ = is_gone;
    }
}

#[derive(Debug)]
struct Classic;

impl Dialect for Classic {
    fn write(&self, event: &Event, json: &mut Vec<u8>) {
        classic::write(event, json);
    }

    fn size_hint(&self, event: &Event) -> usize {
        classic::size_hint(event)
    }
}

/// `chat.v2`.
#[derive(Debug)]
struct V2;

impl Dialect for V2 {
    fn write(&self, event: &Event, json: &mut Vec<u8>) {
        v2::write(event, json);
    }

    fn size_hint(&self, event: &Event) -> usize {
        v2::size_hint(event)
    }
}

/// `chat.v2` with the rendered HTML of each message beside its Markdown.
#[derive(Debug)]
struct V2Html(Arc<Rendered>);

impl Dialect for V2Html {
    fn write(&self, event: &Event, json: &mut Vec<u8>) {
        v2::write_rendered(event, &*self.0, json);
    }

    fn size_hint(&self, event: &Event) -> usize {
        // the HTML is usually a little longer than the text
        2 * v2::size_hint(event)
    }

    fn redact(&self, is_gone: IsGone<'_>) {
        self.0.redact(is_gone);
    }
}

/// A dialect in text frames, compressed if there is a deflater and compression makes them shorter.
#[derive(Debug)]
struct Framed<D> {
    dialect: D,
    deflater: Option<Arc<Deflater>>,
}

impl<D: Dialect> Encoding for Framed<D> {
    fn encode(&self, event: &Event, frame: &mut Vec<u8>) {
        let mut json = Vec::with_capacity(self.size_hint(event));
        self.dialect.write(event, &mut json);
        let deflated = self.deflater.as_ref().and_then(|deflater| deflater.deflate(&json));
        match deflated {
            Some(deflated) => frames::deflated_text(&deflated, frame),
            None => frames::text(&json, frame),
        }
    }

    fn size_hint(&self, event: &Event) -> usize {
        self.dialect.size_hint(event)
    }

    fn redact(&self, is_gone: IsGone<'_>) {
        self.dialect.redact(is_gone);
    }
}
