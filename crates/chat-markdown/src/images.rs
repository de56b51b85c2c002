//! What images in messages become.

/// What an image in a message becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RemoteImages {
    /// A link to the image, labelled with its alternative text. No browser fetches the image before
    /// the link is clicked.
    #[default]
    AsLinks,
    /// The image, if its URL is `https`. Its server learns the address of everyone who reads the
    /// message.
    Shown,
}
