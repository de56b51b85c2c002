//! The conformance suite over all backplanes.
#![allow(clippy::unwrap_used)]

mod local {
    use chat_backplane::Hub;
    use chat_backplane::conformance::{Node, Nodes};

    async fn nodes() -> Nodes {
        let hub = Hub::new();
        Nodes::new([(); 3].map(|()| Node::new(hub.join())))
    }

    chat_backplane::conformance_tests!(nodes);
}
