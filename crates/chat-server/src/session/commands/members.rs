//! `members`: reads a page of the member list.

use chat_protocol::Reference;
use chat_protocol::v2::{Members, PAGE_MEMBERS, PAGE_MEMBERS_DEFAULT};
use chat_rooms::MembersQuery;

use crate::session::Session;
use crate::session::close_reason::CloseReason;

impl Session {
    pub(super) fn members(
        &mut self,
        Members { room, after, prefix, limit }: Members,
        reference: Option<Reference>,
    ) -> Option<CloseReason> {
        let member = self.member(&room, reference.as_ref())?;
        let limit = limit.map_or(PAGE_MEMBERS_DEFAULT, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        let query =
            MembersQuery::new(limit.min(PAGE_MEMBERS)).after(after).prefix(prefix.unwrap_or_default());
        let result = member.members_page(&query, reference);
        self.wait_for_reply(member, result, None)
    }
}
