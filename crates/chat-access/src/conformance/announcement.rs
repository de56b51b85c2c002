//! The test of the announcement.

use chat_protocol::{AnnouncementId, NoticeLevel};

use super::Access;
use crate::Announcement;

/// There is one announcement at most: a new one takes the place of the one before.
pub async fn the_announcement_stays_until_it_is_withdrawn(access: Access) {
    let store = &*access.store;
    let stored = async || store.announcement().await.unwrap();
    assert_eq!(stored().await, None);
    store.set_announcement(None).await.unwrap();
    assert_eq!(stored().await, None, "nothing to withdraw");

    let made = |n, level, body: &str| Announcement::new(AnnouncementId::from_random(n), level, body);
    let first = made(1, NoticeLevel::Info, "first\n\n*\u{1f980}* '\"\\");
    store.set_announcement(Some(first.clone())).await.unwrap();
    assert_eq!(stored().await, Some(first));
    let second = made(2, NoticeLevel::Warning, &"ä".repeat(2_048));
    store.set_announcement(Some(second.clone())).await.unwrap();
    assert_eq!(stored().await, Some(second));
    store.set_announcement(None).await.unwrap();
    assert_eq!(stored().await, None);
}
