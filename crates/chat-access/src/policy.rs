//! What a room allows.

use std::sync::Arc;

use chat_protocol::RoomSettings;

/// What a room allows, in one version. Cloning is cheap.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoomPolicy {
    version: u64,
    settings: Arc<RoomSettings>,
}

impl RoomPolicy {
    /// The policy with this version; a room that was never changed has version 0.
    pub fn new(version: u64, settings: impl Into<Arc<RoomSettings>>) -> Self {
        Self { version, settings: settings.into() }
    }

    /// The version. Of two policies of one room, the newer one has the greater version.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The settings of the room.
    pub fn settings(&self) -> &Arc<RoomSettings> {
        &self.settings
    }
}
