//! What a user wrote, in all rooms: export and deletion.

pub(super) mod messages;
pub(super) mod reactions;

use std::sync::Arc;
use std::time::{Duration, Instant};

use chat_history::{Cursor, HistoryError, Step, UserMessages, UserQuery};
use chat_protocol::UserId;
use futures::future::BoxFuture;
use serde::Deserialize;
use utoipa::IntoParams;

use super::error::{ApiError, bad_request, not_stored, parse, unavailable};
use crate::Admin;

type Users = Arc<dyn UserMessages>;

/// The maximum time that one request spends on what a user wrote. The client continues with the
/// next request.
const MAX_TIME: Duration = Duration::from_secs(2);

/// The parameters of the query: what of the user, and the page.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct WalkQuery {
    /// Only what the user sent under this name.
    username: Option<String>,
    /// `next` of the previous answer.
    after: Option<String>,
}

/// The user, the cursor and the store of a request.
fn request<'a>(
    admin: &'a Admin,
    user: &str,
    params: WalkQuery,
) -> Result<(UserQuery, Option<Cursor>, &'a Users), ApiError> {
    let users = admin
        .users
        .as_ref()
        .ok_or_else(|| not_stored("messages", "a database file (--database) and --history on"))?;
    let mut theirs = UserQuery::new(parse(user)?);
    if let Some(name) = params.username {
        theirs = theirs.with_name(parse(&name)?);
    }
    Ok((theirs, params.after.map(|after| parse(&after)).transpose()?, users))
}

/// The next step of a walk that has found something, or the last one that [`MAX_TIME`] allows.
async fn next_found<'a, T>(
    step: impl Fn(Option<Cursor>) -> BoxFuture<'a, Result<Step<Vec<T>>, HistoryError>>,
    mut after: Option<Cursor>,
) -> Result<Step<Vec<T>>, ApiError> {
    let began = Instant::now();
    loop {
        let step = step(after).await.map_err(|error| unavailable(&error))?;
        if !step.found.is_empty() || step.next.is_none() || began.elapsed() >= MAX_TIME {
            return Ok(step);
        }
        after = step.next;
    }
}

/// Refuses to delete by an id that several users share.
fn certain(theirs: &UserQuery) -> Result<(), ApiError> {
    if theirs.user == UserId::unknown() && theirs.name.is_none() {
        let user = theirs.user.to_string();
        return Err(bad_request(format!("{user:?} stands for several senders; add username")));
    }
    Ok(())
}
