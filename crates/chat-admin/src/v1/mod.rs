//! The admin API: JSON over HTTP, authenticated by the admin token. `docs/admin.openapi.json`
//! describes it.

#[expect(unused_qualifications, reason = "the macro writes them")]
mod accounts;
mod announcement;
#[expect(unused_qualifications, reason = "the macro writes them")]
mod audit;
mod error;
mod invites;
mod moderation;
#[expect(unused_qualifications, reason = "the macro writes them")]
mod reports;
#[expect(unused_qualifications, reason = "the macro writes them")]
mod rooms;
mod sessions;
mod settings;
mod token;
#[expect(unused_qualifications, reason = "the macro writes them")]
mod usage;
mod users;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{delete, get, post, put};
use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};

use crate::Admin;
pub use accounts::{Account, AccountChange, Accounts, NewUser, Tokens, TokensRemoved};
pub use announcement::{Announcement, CurrentAnnouncement, NewAnnouncement};
pub use audit::{Audit, AuditRecord, Named};
pub use error::Problem;
pub use invites::{CreatedInvite, Invite, InviteRequest, Invites};
pub use moderation::{Done, ModerationRequest, Restriction, RoleChange, RoleEntry, Rules};
pub use reports::{Report, Reports};
pub use rooms::{Level, Member, Members, Notice, NoticeSent, Room, RoomClosed, Rooms};
pub use sessions::{ClassicClient, Session, Sessions};
pub use settings::{Join, MentionRoom, Post, Settings, SettingsChange, Visibility};
pub(crate) use token::Token;
pub use usage::{Usage, UsageRow};
pub use users::messages::{ErasedMessages, Message, Messages};
pub use users::reactions::{ErasedReactions, Reaction, Reactions};
use users::{messages, reactions};

pub(crate) fn routes(admin: &Admin) -> Router<Admin> {
    Router::new()
        .route("/accounts", get(accounts::list).post(accounts::create))
        .route("/accounts/{username}", get(accounts::show).patch(accounts::change).delete(accounts::delete))
        .route("/accounts/{username}/tokens", get(accounts::tokens).delete(accounts::remove_tokens))
        .route(
            "/announcement",
            get(announcement::show).put(announcement::make).delete(announcement::withdraw),
        )
        .route("/audit", get(audit::list))
        .route("/invites", get(invites::list).post(invites::create))
        .route("/invites/{invite}", delete(invites::remove))
        .route("/reports", get(reports::list))
        .route("/rooms", get(rooms::list))
        .route("/rooms/{room}", delete(rooms::close))
        .route("/rooms/{room}/members", get(rooms::members))
        .route("/rooms/{room}/members/{username}", delete(rooms::kick))
        .route("/rooms/{room}/notice", post(rooms::notice))
        .route("/rooms/{room}/settings", get(settings::show).patch(settings::change))
        .route("/rooms/{room}/rules", get(moderation::show))
        .route("/rooms/{room}/roles/{user}", put(moderation::set_role))
        .route("/rooms/{room}/moderation", post(moderation::moderate))
        .route("/rooms/{room}/reports/{number}", delete(reports::close))
        .route("/moderation", post(moderation::moderate_on_server))
        .route("/rules", get(moderation::show_server))
        .route("/notice", post(rooms::notice_all))
        .route("/sessions", get(sessions::list))
        .route("/sessions/{session}", delete(sessions::close))
        .route("/usage", get(usage::list))
        .route("/users/{user}/messages", get(messages::export).delete(messages::erase))
        .route("/users/{user}/reactions", get(reactions::export).delete(reactions::erase))
        .fallback(error::no_such_path)
        .method_not_allowed_fallback(error::no_such_method)
        .layer(from_fn_with_state(admin.clone(), token::require))
}

#[derive(OpenApi)]
#[openapi(
    info(title = "chatd admin API", description = "Administers a running server. chatd serves it on the admin listener (`--admin-listen`) to clients that send the admin token."),
    paths(
        accounts::list,
        accounts::create,
        accounts::show,
        accounts::change,
        accounts::delete,
        accounts::tokens,
        accounts::remove_tokens,
        announcement::show,
        announcement::make,
        announcement::withdraw,
        audit::list,
        invites::list,
        invites::create,
        invites::remove,
        moderation::show,
        moderation::set_role,
        moderation::moderate,
        moderation::moderate_on_server,
        moderation::show_server,
        reports::list,
        reports::close,
        rooms::list,
        rooms::close,
        rooms::members,
        rooms::kick,
        rooms::notice,
        rooms::notice_all,
        sessions::list,
        sessions::close,
        settings::show,
        settings::change,
        usage::list,
        messages::export,
        messages::erase,
        reactions::export,
        reactions::erase
    ),
    security(("token" = []))
)]
struct Description;

/// The description of the API in OpenAPI 3.1, as JSON.
pub fn openapi() -> String {
    let mut description = Description::openapi();
    let token = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
    description.components.get_or_insert_default().add_security_scheme("token", token);
    for path in description.paths.paths.values_mut() {
        let operations = [&mut path.get, &mut path.post, &mut path.put, &mut path.patch, &mut path.delete];
        for operation in operations.into_iter().flatten() {
            error::describe_refusals(operation);
        }
    }
    // every value in the description can be written as JSON
    description.to_pretty_json().unwrap_or_default()
}
