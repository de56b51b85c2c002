//! The conformance suite over all backplanes, and what the backplane through NATS promises beyond
//! it.
#![allow(clippy::unwrap_used)]

mod nats;

mod local {
    use chat_backplane::Hub;
    use chat_backplane::conformance::{Node, Nodes};

    async fn nodes() -> Nodes {
        let hub = Hub::new();
        Nodes::new([(); 3].map(|()| Node::new(hub.join())))
    }

    chat_backplane::conformance_tests!(nodes);
}
