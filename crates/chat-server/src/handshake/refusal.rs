//! Reasons to refuse a handshake, and the responses to it.

use http::header::{
    ALLOW, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{Response, StatusCode};

/// Why a handshake was refused. The members of the room do not notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// There is nothing at this path, or it contains an invalid name.
    NotFound,
    /// The method is not GET.
    Method,
    /// A plain request, or a WebSocket version other than 13 (RFC 6455, section 4.4).
    UpgradeRequired,
    /// Not a valid handshake.
    Malformed,
    /// A plain request where TLS is required.
    NotEncrypted,
    /// A handshake on the `chat.v2` endpoint that does not offer `chat.v2`.
    NoSubprotocol,
    /// The page's origin is not allowed.
    Origin,
    /// The name is in use in the room.
    NameTaken,
    /// The name, or one that looks like it, belongs to an account.
    NameReserved,
    /// The server admits no guests.
    NoGuests,
    /// The settings of the room do not admit the user.
    NotAllowed,
    /// The user, or everyone who connects as a guest from there, is banned.
    Banned,
    /// Too many connections from the address, or its handshakes come too fast.
    TooManyFromThere,
    /// The room has its maximum number of members.
    RoomFull,
    /// The maximum number of connections is reached, or memory is short.
    Full,
    /// The server is shutting down.
    ShuttingDown,
    /// The store does not answer.
    Store,
}

impl Refusal {
    /// The response. Its body explains the refusal to a person; for a taken name it is empty, as
    /// classic clients expect.
    pub(crate) fn response(self) -> Response<&'static str> {
        let (status, extra): (_, &[(HeaderName, &'static str)]) = match self {
            Self::NotFound => (StatusCode::NOT_FOUND, &[]),
            Self::Method => (StatusCode::METHOD_NOT_ALLOWED, &[(ALLOW, "GET")]),
            Self::UpgradeRequired => {
                (StatusCode::UPGRADE_REQUIRED, &[(UPGRADE, "websocket"), (SEC_WEBSOCKET_VERSION, "13")])
            }
            Self::Malformed | Self::NotEncrypted | Self::NoSubprotocol => (StatusCode::BAD_REQUEST, &[]),
            Self::NameTaken
            | Self::NameReserved
            | Self::NoGuests
            | Self::NotAllowed
            | Self::Banned
            | Self::Origin => (StatusCode::FORBIDDEN, &[]),
            Self::TooManyFromThere => (StatusCode::TOO_MANY_REQUESTS, &[(RETRY_AFTER, "10")]),
            Self::RoomFull | Self::Full | Self::ShuttingDown | Self::Store => {
                (StatusCode::SERVICE_UNAVAILABLE, &[(RETRY_AFTER, "1")])
            }
        };
        let body = self.explanation();
        let mut response = Response::new(body);
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        if !body.is_empty() {
            response
                .headers_mut()
                .insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        }
        for (name, value) in extra {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

impl Refusal {
    /// All reasons.
    pub(crate) const ALL: [Self; 17] = [
        Self::NotFound,
        Self::Method,
        Self::UpgradeRequired,
        Self::Malformed,
        Self::NotEncrypted,
        Self::NoSubprotocol,
        Self::Origin,
        Self::NameTaken,
        Self::NameReserved,
        Self::NoGuests,
        Self::NotAllowed,
        Self::Banned,
        Self::TooManyFromThere,
        Self::RoomFull,
        Self::Full,
        Self::ShuttingDown,
        Self::Store,
    ];

    /// Label for metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Method => "method",
            Self::UpgradeRequired => "upgrade_required",
            Self::Malformed => "malformed",
            Self::NotEncrypted => "not_encrypted",
            Self::NoSubprotocol => "no_subprotocol",
            Self::Origin => "origin",
            Self::NameTaken => "name_taken",
            Self::NameReserved => "name_reserved",
            Self::NoGuests => "no_guests",
            Self::NotAllowed => "not_allowed",
            Self::Banned => "banned",
            Self::TooManyFromThere => "too_many_from_there",
            Self::RoomFull => "room_full",
            Self::Full => "full",
            Self::ShuttingDown => "shutting_down",
            Self::Store => "store",
        }
    }

    fn explanation(self) -> &'static str {
        match self {
            Self::NotFound => {
                "not found: there is no such path, or the name of the room or user in it is not valid\n"
            }
            Self::Method => "method not allowed: open a WebSocket with GET\n",
            Self::UpgradeRequired => "upgrade required: this path serves only WebSockets (version 13)\n",
            Self::Malformed => "malformed request, or not a valid WebSocket handshake\n",
            Self::NotEncrypted => "this port requires TLS: use https:// or wss://\n",
            Self::NoSubprotocol => "missing subprotocol: offer chat.v2 in Sec-WebSocket-Protocol\n",
            Self::Origin => {
                "pages of this origin are not allowed to connect; the server sets this with --allowed-origins\n"
            }
            Self::NameTaken => "",
            Self::NameReserved => "this name, or one that looks like it, belongs to an account\n",
            Self::NoGuests => "this server admits no guests\n",
            Self::NotAllowed => "this room is for users with an account\n",
            Self::Banned => "you are banned from this room or this server\n",
            Self::TooManyFromThere => "too many connections from your address, or too many in a short time\n",
            Self::RoomFull => "the room is full\n",
            Self::Full => "the server is full: the maximum number of connections is reached\n",
            Self::ShuttingDown => "the server is shutting down\n",
            Self::Store => "storage is unavailable; try again later\n",
        }
    }
}
