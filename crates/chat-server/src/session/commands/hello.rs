//! `hello`: starts a session, and ends the one that it replaces.

use std::iter;
use std::sync::Arc;
use std::time::Duration;

use chat_access::{Actor, Network};
use chat_log::{Passed, cut};
use chat_protocol::v2::{
    DenialReason, Error, ErrorCode, Hello, Rejected, ServerFrame, User, Welcome, WelcomeLimits,
};
use chat_protocol::{CloseCode, GuestToken, Identity, Reference, Timestamp, UserId, Username};
use chat_rooms::FrameSink;
use futures::FutureExt;
use tokio::time::Instant;

use crate::accounts::{Accounts, Credential, FreeName, NewSubjectError, SignInError, SignedIn};
use crate::admission::client_log::LogKind;
use crate::admission::rate_limit::RateLimiter;
use crate::context::Context;
use crate::context::inbox::ListHandle;
use crate::context::memberships::Memberships;
use crate::context::sessions::Replaced;
use crate::encoding::frames;
use crate::session::close_reason::CloseReason;
use crate::session::replaced::ReplacedRooms;
use crate::session::state::SessionState;
use crate::session::{Busy, Done, STORAGE_UNAVAILABLE, Session, send_window};

/// How long a new session waits for the one that it replaces to give up its memberships.
const REPLACE_TIMEOUT: Duration = Duration::from_secs(2);

/// How much longer than the ping interval a client should wait before it checks the connection.
const HEARTBEAT_SLACK: Duration = Duration::from_secs(5);

/// What a user reads who is banned from the server.
const BANNED: &str = "you are banned from this server";

/// A `hello` whose user is known.
pub(in crate::session) struct HelloAs {
    user: Identity,
    proof: Proof,
    /// The session that this one replaces.
    replaces: Option<String>,
    client: Option<String>,
    render: bool,
}

/// How it is known who the user is.
enum Proof {
    Guest {
        /// The token that the server made for a guest that had none.
        new_token: Option<GuestToken>,
        /// The name is free. `None` on a server without accounts.
        free: Option<FreeName>,
    },
    Account {
        credential: Credential,
        /// The ids that the user had as a guest.
        was: Vec<UserId>,
        /// When the account was created.
        since: Timestamp,
    },
}

/// Why a `hello` starts no session.
pub(in crate::session) enum HelloError {
    /// The client may send another one.
    TryAgain(ErrorCode, String),
    /// The connection ends.
    NotAccepted(String),
}

impl Session {
    pub(super) fn hello(&mut self, hello: Hello, reference: Option<Reference>) -> Option<CloseReason> {
        if self.state.is_some() {
            self.error(reference, ErrorCode::Forbidden, "this session has already sent hello");
            return None;
        }
        let Hello { username, token, guest_token, replaces, client, render } = hello;
        let accounts = self.context.accounts.clone();
        if let Some(token) = token {
            // a token that is not accepted never makes a guest
            let Some(accounts) = accounts else {
                let error = HelloError::NotAccepted("this server has no accounts".to_owned());
                return self.refuse_hello(error, reference);
            };
            let context = Arc::clone(&self.context);
            let identifying = async move {
                let (user, proof) = sign_in(&context, &accounts, &token, username.as_ref()).await?;
                Ok(HelloAs { user, proof, replaces, client, render })
            };
            self.busy = Some(Busy::Working(identify(identifying, reference).boxed()));
            return None;
        }
        let Some(username) = username else {
            let message = "the field \"username\" is missing".to_owned();
            return self.reject(Rejected { reference, code: ErrorCode::MissingField, message });
        };
        if !self.context.config().guests {
            let error = HelloError::NotAccepted("this server admits no guests: sign in".to_owned());
            return self.refuse_hello(error, reference);
        }
        let (user, new_token) = match guest_token {
            Some(token) => (Identity::guest(&token, username), None),
            None => {
                let token = GuestToken::from_random(rand::random());
                (Identity::guest(&token, username), Some(token))
            }
        };
        let free = accounts.as_ref().and_then(|accounts| accounts.certainly_free(user.username()));
        let proof = Proof::Guest { new_token, free };
        let hello = HelloAs { user, proof, replaces, client, render };
        match accounts {
            Some(accounts) if free.is_none() => {
                self.busy = Some(Busy::Working(
                    identify(check_name(Arc::clone(&self.context), accounts, hello), reference).boxed(),
                ));
            }
            // nearly always: then nothing is allocated for a check
            _ => return self.identified(hello, reference),
        }
        None
    }

    /// The user is known: replaces an earlier session, or begins.
    pub(in crate::session) fn identified(
        &mut self,
        mut hello: HelloAs,
        reference: Option<Reference>,
    ) -> Option<CloseReason> {
        let replaces = hello.replaces.take();
        match replaces.and_then(|session| self.context.sessions.replace(&hello.user, &session)) {
            None => return self.welcome(hello, reference, Memberships::default()),
            Some(replaced) => {
                self.busy = Some(Busy::Working(replace(replaced, hello, reference).boxed()));
            }
        }
        None
    }

    pub(in crate::session) fn refuse_hello(
        &mut self,
        error: HelloError,
        reference: Option<Reference>,
    ) -> Option<CloseReason> {
        match error {
            HelloError::TryAgain(code, message) => {
                self.error(reference, code, message);
                None
            }
            HelloError::NotAccepted(message) => {
                self.error(reference, ErrorCode::Unauthorized, message);
                Some(CloseReason::Failed(CloseCode::NotAccepted))
            }
        }
    }

    pub(in crate::session) fn welcome(
        &mut self,
        hello: HelloAs,
        reference: Option<Reference>,
        replaced: Memberships,
    ) -> Option<CloseReason> {
        let beginning = self.beginning.as_ref()?;
        let HelloAs { user, proof, client, render, .. } = &hello;
        let render = *render;
        let user = Arc::new(user.clone());
        let encodings = self.context.encodings.for_connection(beginning.deflates);
        let encoding = if render { encodings.v2_html } else { encodings.v2 };
        let outbox: Arc<dyn FrameSink> = Arc::clone(&self.outbox) as _;
        let limits = self.context.config().limits;
        let credential = match proof {
            Proof::Guest { .. } => None,
            Proof::Account { credential, .. } => Some(credential.clone()),
        };
        let is_account = credential.is_some();
        let registration = self.context.sessions.register(
            Arc::clone(&user),
            credential,
            limits.sessions,
            beginning.client,
            outbox,
            encoding,
        );
        // a new account ends the guests in the table who have its name: this one is there now
        if let (Some(accounts), Proof::Guest { free: Some(free), .. }) = (&self.context.accounts, proof)
            && !accounts.still_holds(*free)
        {
            let checking = check_name(Arc::clone(&self.context), accounts.clone(), hello);
            self.busy = Some(Busy::Working(check_again(checking, reference, replaced).boxed()));
            return None;
        }
        let network = Network::of_client(beginning.client);
        let was = match &hello.proof {
            Proof::Guest { .. } => &[][..],
            Proof::Account { was, .. } => was,
        };
        // the session is in the table: a ban that comes now ends it
        if let Some(until) = self.context.engine.server_ban(&Actor::new(&user, was).at(network)) {
            let (code, message) = (ErrorCode::Forbidden, BANNED.into());
            let denied = Some(DenialReason::BannedFromServer);
            let error = Error { reference, code, message, retry_after_ms: None, denied, until };
            self.answer(&ServerFrame::Error(error));
            return Some(CloseReason::Failed(CloseCode::Forbidden));
        }
        let replaced = (!replaced.is_empty())
            .then(|| ReplacedRooms::keep(replaced, self.context.config().timings.replace));
        let heartbeat = self.context.config().timings.ping + HEARTBEAT_SLACK;
        let program = client.as_deref().map(|client| tracing::field::display(cut(client.as_bytes())));
        let username = user.username();
        tracing::debug!(session = %registration.id(), %username, client = program, "session started");
        let (guest_token, expires_at, was, since) = match hello.proof {
            Proof::Guest { new_token, .. } => (new_token, None, Vec::new(), None),
            Proof::Account { credential, was, since } => (None, credential.expires_at(), was, Some(since)),
        };
        // held until the session is marked as welcomed, so that it misses no announcement
        let announcement = self.context.announcements.current();
        self.answer(&ServerFrame::Welcome(Welcome {
            reference,
            session: registration.id(),
            user: User { was: was.clone(), ..User::from(&*user) },
            guest_token,
            expires_at,
            server: concat!("chatd/", env!("CARGO_PKG_VERSION")).to_owned(),
            limits: WelcomeLimits {
                message_bytes: limits.message_bytes as u64,
                messages_per_second: limits.message_rate,
                burst: limits.message_burst,
                rooms: limits.rooms,
                sessions: limits.sessions,
                edit_window_s: limits.edit_window_s,
            },
            heartbeat_ms: u64::try_from(heartbeat.as_millis()).unwrap_or(u64::MAX),
            announcement: announcement.as_ref().map(|announcement| announcement.shown(render)),
        }));
        registration.mark_welcomed();
        drop(announcement);
        let list = is_account.then(|| self.context.inbox.open(&user, &was));
        if let Some(list) = &list {
            self.send_list(list.handle());
        }
        let ids = || iter::once(user.id()).chain(&was);
        if self.context.warnings.may_wait_for(ids()) {
            self.send_warnings(ids().cloned().collect());
        }
        self.beginning = None;
        self.state = Some(Box::new(SessionState {
            user,
            former_ids: was.into(),
            since,
            network,
            encoding,
            rooms: Memberships::default(),
            replaced,
            registration,
            list,
            window: send_window(self.context.config().backlog),
            joins: RateLimiter::new(Instant::now()),
        }));
        None
    }
}

impl Session {
    /// Sends the user the warnings that wait for it. The session does not wait for them.
    fn send_warnings(&self, ids: Vec<UserId>) {
        let context = Arc::clone(&self.context);
        self.context.tasks.spawn(async move {
            let Context { warnings, sessions, engine, .. } = &*context;
            if let Err(error) = warnings.send_waiting(sessions, &**engine.access(), ids).await
                && let Some(Passed { suppressed }) = context.log.pass(LogKind::Acts)
            {
                tracing::warn!(%error, suppressed, "the warnings of a user can't be read");
            }
        });
    }

    /// Sends the list of the user's rooms when it is read. The session does not wait for it.
    fn send_list(&self, list: ListHandle) {
        let Some(accounts) = self.context.accounts.clone() else { return };
        let (context, outbox) = (Arc::clone(&self.context), Arc::clone(&self.outbox));
        self.context.tasks.spawn(async move {
            match list.read(&accounts, &context.engine).await {
                // an outbox that no longer accepts frames signals that to its own task
                Ok(rooms) => drop(outbox.offer(&rooms.iter().map(frames::v2_frame).collect::<Vec<_>>())),
                Err(error) => context.log_accounts_failure(&error),
            }
        });
    }
}

/// Finds out whose token this is. A name has to be that of the account. A user of the identity
/// provider gets an account under that name.
async fn sign_in(
    context: &Context,
    accounts: &Accounts,
    token: &str,
    username: Option<&Username>,
) -> Result<(Identity, Proof), HelloError> {
    let SignedIn { account, credential } = match accounts.authenticate(token).await {
        Err(SignInError::NewSubject(claims)) => {
            let created = accounts
                .create_for_subject(&claims, username)
                .await
                .map_err(|error| new_subject(context, error))?;
            context.end_guests(&created.account.username).await;
            created
        }
        other => other.map_err(|error| not_signed_in(context, error))?,
    };
    if username.is_some_and(|username| *username != account.username) {
        return Err(HelloError::NotAccepted("the token belongs to a user of another name".to_owned()));
    }
    let user = account.identity().map_err(|error| HelloError::NotAccepted(error.to_string()))?;
    Ok((user, Proof::Account { credential, was: account.guests, since: account.created_at }))
}

fn not_signed_in(context: &Context, error: SignInError) -> HelloError {
    match error {
        SignInError::Store(ref cause) => {
            context.log_accounts_failure(cause);
            HelloError::TryAgain(ErrorCode::StoreUnavailable, error.to_string())
        }
        other => HelloError::NotAccepted(other.to_string()),
    }
}

fn new_subject(context: &Context, error: NewSubjectError) -> HelloError {
    match error {
        NewSubjectError::NoName => {
            let message = "your account needs a name: send hello with a valid username";
            HelloError::TryAgain(ErrorCode::InvalidUsername, message.to_owned())
        }
        NewSubjectError::NameTaken => {
            let message = "your account needs another name: this one, or one that looks like it, is taken";
            HelloError::TryAgain(ErrorCode::NameReserved, message.to_owned())
        }
        NewSubjectError::Failed(error) => not_signed_in(context, error),
    }
}

/// Checks that the name of a guest belongs to no account.
async fn check_name(
    context: Arc<Context>,
    accounts: Accounts,
    mut hello: HelloAs,
) -> Result<HelloAs, HelloError> {
    let checked = accounts.check_guest(hello.user.username().clone()).await;
    match (checked, &mut hello.proof) {
        (Ok(Ok(name)), Proof::Guest { free, .. }) => *free = Some(name),
        (Ok(Ok(_)), Proof::Account { .. }) => {}
        (Ok(Err(_)), _) => {
            let message =
                "this name, or one that looks like it, belongs to an account: sign in, or take another";
            return Err(HelloError::TryAgain(ErrorCode::NameReserved, message.to_owned()));
        }
        (Err(error), _) => {
            context.log_accounts_failure(&error);
            return Err(HelloError::TryAgain(ErrorCode::StoreUnavailable, STORAGE_UNAVAILABLE.to_owned()));
        }
    }
    Ok(hello)
}

async fn identify(
    identifying: impl Future<Output = Result<HelloAs, HelloError>>,
    reference: Option<Reference>,
) -> Done {
    Done::Identified(identifying.await, reference)
}

/// An account was created since the name was checked.
async fn check_again(
    checking: impl Future<Output = Result<HelloAs, HelloError>>,
    reference: Option<Reference>,
    memberships: Memberships,
) -> Done {
    match checking.await {
        Ok(hello) => Done::Replaced(hello, reference, memberships),
        Err(error) => Done::Identified(Err(error), reference),
    }
}

async fn replace(replaced: Replaced, hello: HelloAs, reference: Option<Reference>) -> Done {
    let memberships = tokio::time::timeout(REPLACE_TIMEOUT, replaced).await;
    // a session that ended in the meantime has left its rooms
    Done::Replaced(hello, reference, memberships.ok().and_then(Result::ok).unwrap_or_default())
}
