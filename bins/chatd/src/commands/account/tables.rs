//! Responses as tables.

use chat_admin::v1::{Account, Invites, Tokens};
use chat_protocol::Role;

use crate::commands::admin::tables::table;

pub(super) fn role(account: &Account) -> &'static str {
    match account.role {
        Role::Admin => "admin",
        Role::Moderator => "moderator",
        _ => "user",
    }
}

pub(super) fn accounts(accounts: &[Account]) -> String {
    let rows = accounts.iter().map(|account| {
        let state = match (&account.disabled_at, account.has_password) {
            (Some(since), _) => format!("disabled since {since}"),
            (None, true) => "enabled".to_owned(),
            (None, false) => "no password".to_owned(),
        };
        let kind = account.kind.clone();
        vec![
            account.username.clone(),
            account.id.clone(),
            kind,
            role(account).to_owned(),
            account.created_at.clone(),
            state,
        ]
    });
    table(&["username", "user", "kind", "role", "created at", "state"], rows)
        .unwrap_or_else(|| "no accounts".to_owned())
}

pub(super) fn tokens(response: &Tokens) -> String {
    let rows = response.tokens.iter().map(|token| {
        vec![
            token.id.clone(),
            token.kind.clone(),
            token.label.clone().unwrap_or_else(|| "-".to_owned()),
            token.created_at.clone(),
            token.last_used_at.clone(),
            token.expires_at.clone().unwrap_or_else(|| "never".to_owned()),
        ]
    });
    table(&["token", "kind", "label", "created at", "last used at", "expires at"], rows)
        .unwrap_or_else(|| "no sessions and no API tokens".to_owned())
}

pub(super) fn invites(response: &Invites) -> String {
    let rows = response.invites.iter().map(|invite| {
        let expires_at = invite.expires_at.clone().unwrap_or_else(|| "never".to_owned());
        vec![invite.id.clone(), invite.uses_left.to_string(), invite.created_at.clone(), expires_at]
    });
    table(&["invite", "uses left", "created at", "expires at"], rows)
        .unwrap_or_else(|| "no invites".to_owned())
}
