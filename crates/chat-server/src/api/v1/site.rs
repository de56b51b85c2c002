//! What a client has to know before its user is known.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use chat_protocol::WelcomeText;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::RouteState;
use crate::config::Logo;

/// What the site is called, how it welcomes users, and how they get in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(super) struct Site {
    /// The name of the site.
    pub name: String,
    /// The logo: an http or https URL, or a path on this server. Absent: there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logo: Option<String>,
    /// A text that welcomes users. Absent: there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub welcome: Option<Welcome>,
    /// The room that is proposed to new users.
    pub default_room: String,
    /// Whether users without an account may use the server.
    pub guests: bool,
    /// Whether users can sign in.
    pub accounts: bool,
    /// Who may register an account: `open`, `invite` or `closed`.
    pub registration: String,
}

/// A text that welcomes users.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(super) struct Welcome {
    /// The text, in Markdown.
    pub body: String,
    /// The text as sanitised HTML.
    #[schema(value_type = String)]
    pub html: Arc<str>,
}

/// Show what the site is called, how it welcomes users, and how they get in.
#[utoipa::path(get, path = "/api/v1/site", operation_id = "show_site",
    responses((status = 200, body = Site)))]
pub(super) async fn describe(State(state): State<RouteState>) -> Json<Site> {
    let (config, rendered) = (state.context.config(), state.context.site.load());
    let accounts = state.context.accounts.is_some();
    let registration = if accounts { config.registration.name() } else { "closed" };
    let site = &rendered.site;
    let body = site.welcome.as_ref().map(WelcomeText::to_string);
    let welcome = body.zip(rendered.welcome_html.clone()).map(|(body, html)| Welcome { body, html });
    Json(Site {
        name: site.name().to_owned(),
        logo: site.logo.as_ref().map(Logo::to_string),
        welcome,
        default_room: site.default_room().to_owned(),
        guests: config.guests,
        accounts,
        registration: registration.to_owned(),
    })
}
