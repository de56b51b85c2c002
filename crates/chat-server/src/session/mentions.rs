//! Whom a message addresses.

use chat_access::Action;
use chat_accounts::MAX_NAMES;
use chat_history::Mentions;
use chat_log::Passed;
use chat_markdown::MentionText;
use chat_protocol::{Mention, UserId, Username, fold};
use chat_rooms::Membership;

use crate::admission::client_log::LogKind;
use crate::context::Context;

/// The name that stands for everyone in the room.
const ROOM: &str = "room";

/// Finds out whom a text addresses: the members of the room that it names, everyone for `@room` if
/// the author may do that, and the accounts that keep the room in their lists.
///
/// The longest known name counts. Accounts that are not in the room are counted and not named. If
/// the accounts cannot be read, only members are found.
pub(super) async fn resolve(places: Vec<MentionText>, member: &Membership, context: &Context) -> Mentions {
    let may_address_room = matches!(member.check(Action::MentionRoom), Some(Ok(())));
    let names: Vec<Vec<&str>> = places.iter().map(|place| place.names().collect()).collect();
    let members = member.find(names.iter().flatten().copied());
    let (mut named, mut absent, mut offset) = (Vec::new(), Vec::new(), 0);
    for names in names {
        let members = &members[offset..offset + names.len()];
        offset += names.len();
        if may_address_room && names.iter().any(|name| fold(name) == ROOM) {
            named.push((Mention::Room, None));
            continue;
        }
        let longest = members.iter().position(Option::is_some);
        // an account may have a longer name
        let longer: Vec<_> = names[..longest.unwrap_or(names.len())].to_vec();
        let place = (!longer.is_empty()).then_some(absent.len());
        if !longer.is_empty() {
            absent.push(longer);
        }
        if let Some(member) = longest.and_then(|index| members[index].as_ref()) {
            named.push((Mention::User(member.user.clone()), place));
        }
    }
    let kept = keepers(&absent, member, context).await;
    let is_overruled = |place: &Option<usize>| place.is_some_and(|place| kept[place].is_some());
    let named = named.into_iter().filter(|(_, place)| !is_overruled(place)).map(|(mention, _)| mention);
    Mentions::new(named.collect::<Vec<_>>(), kept.iter().flatten().cloned().collect())
}

/// For each place, the account that keeps the room and has the longest one of these names.
async fn keepers(places: &[Vec<&str>], member: &Membership, context: &Context) -> Vec<Option<UserId>> {
    let none = || vec![None; places.len()];
    let Some(accounts) = &context.accounts else { return none() };
    let mut wanted: Vec<Username> =
        places.iter().flatten().filter_map(|name| Username::parse(name).ok()).collect();
    wanted.sort();
    wanted.dedup();
    wanted.truncate(MAX_NAMES);
    if wanted.is_empty() {
        return none();
    }
    let room = member.member().room.clone();
    let found = match accounts.store().keepers(room, wanted).await {
        Ok(found) => found,
        Err(error) => {
            if let Some(Passed { suppressed }) = context.log.pass(LogKind::Accounts) {
                tracing::warn!(%error, suppressed, "mentioned accounts can't be read");
            }
            return none();
        }
    };
    let longest = |names: &Vec<&str>| {
        names.iter().find_map(|name| {
            let name = fold(name);
            found.iter().find(|(known, _)| known.folded() == name).map(|(_, id)| id.clone())
        })
    };
    places.iter().map(longest).collect()
}
