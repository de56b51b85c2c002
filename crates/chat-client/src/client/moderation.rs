//! The commands of owners and moderators.

use chat_protocol::v2::{
    Audit, AuditPage, Command, Report, Reports, ReportsPage, Roles, RolesPage, ServerFrame, SetRole,
};
use chat_protocol::{Reason, RoomName, RoomRole, UserId};

use super::Client;
use crate::command::Request;
use crate::model::{Act, CommandError, SettingsChange};

impl Client {
    /// Registers a room that the client has joined: the user becomes its owner. The room is new, or
    /// the user is alone in it and it has no history. Resolves to the number of the event if the
    /// settings differ from those of a new room.
    ///
    /// Not cancel-safe: if the future is dropped before it resolves, the room may still be
    /// registered.
    ///
    /// # Errors
    /// Those of [`history`](Self::history). The server refuses guests, and a room that has an owner
    /// or is in use.
    ///
    /// ```no_run
    /// # async fn run(client: chat_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// use chat_client::{MayJoin, SettingsChange};
    ///
    /// let settings = SettingsChange::default().join(MayJoin::Members);
    /// client.create_room(&"team".parse()?, settings).await?;
    /// # Ok(()) }
    /// ```
    pub async fn create_room(
        &self,
        room: &RoomName,
        settings: SettingsChange,
    ) -> Result<Option<u64>, CommandError> {
        let command = Command::CreateRoom(settings.into_create(Some(room.clone())));
        self.call(move |responder| Request::Change { command, responder }).await
    }

    /// Changes the settings of a room that the client has joined. Resolves to the number of the
    /// event; to `None` if nothing changes.
    ///
    /// Not cancel-safe: if the future is dropped before it resolves, the settings may still be
    /// changed.
    ///
    /// # Errors
    /// Those of [`history`](Self::history). The server refuses users who are no owners of the room.
    ///
    /// ```no_run
    /// # async fn run(client: chat_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// use chat_client::{MayPost, SettingsChange};
    ///
    /// let change = SettingsChange::default().post(MayPost::Members);
    /// client.configure_room(&"lobby".parse()?, change).await?;
    /// # Ok(()) }
    /// ```
    pub async fn configure_room(
        &self,
        room: &RoomName,
        change: SettingsChange,
    ) -> Result<Option<u64>, CommandError> {
        let command = Command::ConfigureRoom(change.into_configure(room.clone()));
        self.call(move |responder| Request::Change { command, responder }).await
    }

    /// Gives a user a role in a room that the client has joined, or with `None` takes it away.
    ///
    /// Not cancel-safe: if the future is dropped before it resolves, the role may still be changed.
    ///
    /// # Errors
    /// Those of [`history`](Self::history). The server refuses what the user may not do, a user who
    /// is neither in the room nor has a role there, guests, and to take the role of the only owner.
    ///
    /// ```no_run
    /// # async fn run(client: chat_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// use chat_client::RoomRole;
    ///
    /// client.set_role(&"lobby".parse()?, &"u_17".parse()?, Some(RoomRole::Moderator)).await?;
    /// # Ok(()) }
    /// ```
    pub async fn set_role(
        &self,
        room: &RoomName,
        user: &UserId,
        role: Option<RoomRole>,
    ) -> Result<(), CommandError> {
        let command = Command::SetRole(SetRole { room: room.clone(), user: user.clone(), role });
        self.call(move |responder| Request::Act { command, responder }).await
    }

    /// Reads a page of the users who have a role in a room that the client has joined, ordered by
    /// their ids, after this one. A page has up to 100 users. Cancel-safe.
    ///
    /// # Errors
    /// Those of [`history`](Self::history).
    ///
    /// ```no_run
    /// # async fn run(client: chat_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// for entry in client.roles(&"lobby".parse()?, None).await?.roles {
    ///     println!("{}: {}", entry.username, entry.role);
    /// }
    /// # Ok(()) }
    /// ```
    pub async fn roles(&self, room: &RoomName, after: Option<UserId>) -> Result<RolesPage, CommandError> {
        let command = Command::Roles(Roles { room: room.clone(), after, limit: None });
        self.ask(command, |frame| if let ServerFrame::Roles(page) = frame { Some(page) } else { None }).await
    }

    /// Removes, bans, mutes or warns a user, or ends a ban or a mute, in a room that the client has
    /// joined.
    ///
    /// Not cancel-safe: if the future is dropped before it resolves, it may still be done.
    ///
    /// # Errors
    /// Those of [`history`](Self::history). The server refuses what the user may not do, and a user
    /// that it does not know.
    ///
    /// ```no_run
    /// # async fn run(client: chat_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// use chat_client::{Act, Moderation};
    ///
    /// client.moderate(&"lobby".parse()?, Act::on_author(41, Moderation::Ban)).await?;
    /// # Ok(()) }
    /// ```
    pub async fn moderate(&self, room: &RoomName, act: Act) -> Result<(), CommandError> {
        let command = Command::Moderate(act.into_frame(Some(room.clone())));
        self.call(move |responder| Request::Act { command, responder }).await
    }

    /// As [`moderate`](Self::moderate), on the whole server: a banned user cannot connect any more.
    /// The act names a user by id.
    ///
    /// Not cancel-safe: if the future is dropped before it resolves, it may still be done.
    ///
    /// # Errors
    /// Those of [`history`](Self::history). The server refuses users who are no moderators of the
    /// server, and a user that it does not know.
    ///
    /// ```no_run
    /// # async fn run(client: chat_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// use chat_client::{Act, Moderation};
    ///
    /// client.moderate_on_server(Act::on("u_17".parse()?, Moderation::Ban)).await?;
    /// # Ok(()) }
    /// ```
    pub async fn moderate_on_server(&self, act: Act) -> Result<(), CommandError> {
        let command = Command::Moderate(act.into_frame(None));
        self.call(move |responder| Request::Act { command, responder }).await
    }

    /// Shows the moderators of a room a message. They get a copy, which stays when the message is
    /// deleted.
    ///
    /// Not cancel-safe, but safe to repeat.
    ///
    /// # Errors
    /// Those of [`history`](Self::history). The server refuses a message that does not exist.
    ///
    /// ```no_run
    /// # async fn run(client: chat_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// client.report(&"lobby".parse()?, 41, Some("spam".parse()?)).await?;
    /// # Ok(()) }
    /// ```
    pub async fn report(
        &self,
        room: &RoomName,
        seq: u64,
        reason: Option<Reason>,
    ) -> Result<(), CommandError> {
        let command = Command::Report(Report { room: room.clone(), target: seq, reason });
        self.call(move |responder| Request::Act { command, responder }).await
    }

    /// Reads the open reports in a room, or in all rooms, the newest first, with a smaller number
    /// than `before`. A page has up to 50. Cancel-safe.
    ///
    /// # Errors
    /// Those of [`history`](Self::history). The server refuses users who are no moderators; the
    /// reports of all rooms are for moderators of the server.
    ///
    /// ```no_run
    /// # async fn run(client: chat_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// for report in client.reports(Some(&"lobby".parse()?), None).await?.reports {
    ///     println!("{}: {}", report.from, report.body.as_deref().unwrap_or("(erased)"));
    /// }
    /// # Ok(()) }
    /// ```
    pub async fn reports(
        &self,
        room: Option<&RoomName>,
        before: Option<u64>,
    ) -> Result<ReportsPage, CommandError> {
        let command = Command::Reports(Reports { room: room.cloned(), before, limit: None });
        self.ask(command, |frame| if let ServerFrame::Reports(page) = frame { Some(page) } else { None })
            .await
    }

    /// Closes a report. A moderator of the server need not be in the room.
    ///
    /// Not cancel-safe: if the future is dropped before it resolves, the report may still be
    /// closed.
    ///
    /// # Errors
    /// Those of [`history`](Self::history). The server refuses users who are no moderators, and a
    /// report that is not open.
    ///
    /// ```no_run
    /// # async fn run(client: chat_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// client.close_report(&"lobby".parse()?, 7).await?;
    /// # Ok(()) }
    /// ```
    pub async fn close_report(&self, room: &RoomName, number: u64) -> Result<(), CommandError> {
        let command = Command::CloseReport { room: room.clone(), number };
        self.call(move |responder| Request::Act { command, responder }).await
    }

    /// Reads what moderators and owners have done in a room, or in all rooms and on the server
    /// itself, the newest first, with a smaller number than `before`. A page has up to 50 records.
    /// Cancel-safe.
    ///
    /// # Errors
    /// Those of [`history`](Self::history). The server refuses users who are no moderators; what
    /// was done everywhere is for moderators of the server.
    ///
    /// ```no_run
    /// # async fn run(client: chat_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// for record in client.audit(Some(&"lobby".parse()?), None).await?.records {
    ///     println!("{} {}", record.at, record.act);
    /// }
    /// # Ok(()) }
    /// ```
    pub async fn audit(
        &self,
        room: Option<&RoomName>,
        before: Option<u64>,
    ) -> Result<AuditPage, CommandError> {
        let command = Command::Audit(Audit { room: room.cloned(), before, limit: None });
        self.ask(command, |frame| if let ServerFrame::Audit(page) = frame { Some(page) } else { None }).await
    }
}
