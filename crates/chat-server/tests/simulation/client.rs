//! A `chat.v2` client as the protocol describes it: it reconnects, replaces its earlier session,
//! and resends unacked messages with the same id.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chat_protocol::v2::{
    Ack, ClientFrame, Command, Delete, Edit, ErrorCode, Hello, History, Join, MessageFrame, React,
    SUBPROTOCOL, Send, ServerFrame,
};
use chat_protocol::{Emoji, Epoch, GuestToken, MessageId, Reference, RoomName, UserId, Username};
use futures::{SinkExt, StreamExt};
use parking_lot::Mutex;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use tokio::io::DuplexStream;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::faults::MIN_KEPT;
use crate::link::{Address, Link, connect};
use crate::log::{Log, Resync};
use crate::world::ROOMS;

/// How long a client waits for the handshake and `welcome`, and for an answer to its `ping`.
const PATIENCE: Duration = Duration::from_secs(5);

/// The client sends `ping` if it has received nothing for this long.
const HEARTBEAT: Duration = Duration::from_secs(3);

/// A message without an ack.
#[derive(Debug, Clone)]
pub(crate) struct Unacked {
    pub(crate) room: RoomName,
    pub(crate) id: MessageId,
    pub(crate) body: Arc<str>,
    reply_to: Option<u64>,
    /// How often it was sent, and whether only on this connection.
    sent: usize,
    is_only_here: bool,
}

/// An edit, and where its event is stored once it is acked.
#[derive(Debug, Clone)]
pub(crate) struct SentEdit {
    pub(crate) room: RoomName,
    /// The number of the message, in this epoch.
    pub(crate) target: u64,
    epoch: Option<Epoch>,
    pub(crate) body: Arc<str>,
    pub(crate) acked: Option<Acked>,
}

/// A reaction, and what the client knows about its outcome. Its reference is its index.
#[derive(Debug, Clone)]
pub(crate) struct SentReaction {
    pub(crate) key: ReactionKey,
    epoch: Option<Epoch>,
    pub(crate) is_added: bool,
    pub(crate) outcome: Option<Outcome>,
}

/// The room, the number of the message, in one epoch, and the emoji.
pub(crate) type ReactionKey = (RoomName, u64, Emoji);

/// The outcome of a reaction.
#[derive(Debug, Clone)]
pub(crate) enum Outcome {
    /// It is stored, with a number unless it has changed nothing.
    Acked { epoch: Option<Epoch>, seq: Option<u64> },
    /// The message does not exist any more.
    NotFound,
}

/// Few, so that users have the same ones.
const EMOJI: [&str; 3] = ["\u{1f44d}", "\u{1f389}", "\u{2764}\u{fe0f}"];

/// Where an event is stored, according to its ack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Acked {
    pub(crate) room: RoomName,
    pub(crate) seq: u64,
    /// The epoch of the room, as far as the client knew.
    pub(crate) epoch: Option<Epoch>,
}

/// A client of a user, across all of its connections. A user may have several clients.
pub(crate) struct Client {
    pub(crate) username: Username,
    pub(crate) guest_token: GuestToken,
    /// Whether the client competes for another user's name. Such a rival leaves when the faults
    /// end.
    pub(crate) is_rival: bool,
    pub(crate) state: Mutex<State>,
}

pub(crate) struct State {
    rng: SmallRng,
    pub(crate) logs: BTreeMap<RoomName, Log>,
    /// In the order of sending.
    pub(crate) unacked: Vec<Unacked>,
    /// The acked messages.
    pub(crate) acked: BTreeMap<MessageId, Acked>,
    /// All edits.
    pub(crate) edits: BTreeMap<MessageId, SentEdit>,
    /// All reactions, in the order of sending.
    pub(crate) reactions: Vec<SentReaction>,
    /// The latest session, which the next one replaces.
    session: Option<String>,
    pub(crate) user: Option<UserId>,
    /// Whether the client has stopped sending new messages.
    is_calm: bool,
}

type Socket = WebSocketStream<DuplexStream>;

/// The connection has ended; the reason does not matter.
struct Disconnected;

impl From<Error> for Disconnected {
    fn from(_: Error) -> Self {
        Self
    }
}

impl Client {
    pub(crate) fn new(name: &str, guest_token: GuestToken, is_rival: bool, seed: u64) -> Self {
        let logs = ROOMS.iter().map(|room| (room.parse().unwrap(), Log::default())).collect();
        let state = State {
            rng: SmallRng::seed_from_u64(seed),
            logs,
            unacked: Vec::new(),
            acked: BTreeMap::new(),
            edits: BTreeMap::new(),
            reactions: Vec::new(),
            session: None,
            user: None,
            is_calm: false,
        };
        Self { username: name.parse().unwrap(), guest_token, is_rival, state: Mutex::new(state) }
    }

    pub(crate) fn calm_down(&self) {
        self.state.lock().is_calm = true;
    }

    fn is_leaving(&self) -> bool {
        self.is_rival && self.state.lock().is_calm
    }

    fn random_ms(&self, range: std::ops::Range<u64>) -> Duration {
        Duration::from_millis(self.state.lock().rng.random_range(range))
    }
}

/// Connects again whenever the connection ends.
pub(crate) async fn run(client: Arc<Client>, link: Arc<Link>, address: Address) {
    while !client.is_leaving() {
        if let Ok(Ok(socket)) = timeout(PATIENCE, open_session(&client, &link, &address)).await {
            let _ = Connection { client: &client, socket }.run().await;
        }
        client.on_disconnect();
        sleep(client.random_ms(10..1_500)).await;
    }
}

async fn open_session(client: &Client, link: &Arc<Link>, address: &Address) -> Result<Socket, Disconnected> {
    let stream = connect(address, link).await.map_err(|_| Disconnected)?;
    let mut request = "ws://chat.example/ws".into_client_request()?;
    request.headers_mut().insert("sec-websocket-protocol", SUBPROTOCOL.parse().map_err(|_| Disconnected)?);
    let (mut socket, _) = client_async(request, stream).await?;
    let hello = Hello {
        username: Some(client.username.clone()),
        token: None,
        guest_token: Some(client.guest_token.clone()),
        replaces: client.state.lock().session.clone(),
        client: None,
        render: false,
    };
    send_command(&mut socket, Command::Hello(hello)).await?;
    loop {
        if let Some(ServerFrame::Welcome(welcome)) = receive(&mut socket).await? {
            let mut state = client.state.lock();
            state.session = Some(welcome.session);
            let user = state.user.get_or_insert_with(|| welcome.user.id.clone());
            assert_eq!(*user, welcome.user.id, "the same guest each time");
            return Ok(socket);
        }
    }
}

async fn send_command(socket: &mut Socket, command: Command) -> Result<(), Disconnected> {
    send_frame(socket, ClientFrame { reference: None, command }).await
}

async fn send_frame(socket: &mut Socket, frame: ClientFrame) -> Result<(), Disconnected> {
    Ok(socket.send(Message::text(serde_json::to_string(&frame).unwrap())).await?)
}

/// Receives the next frame; `None` if it is not a frame of the protocol.
async fn receive(socket: &mut Socket) -> Result<Option<ServerFrame>, Disconnected> {
    match socket.next().await.ok_or(Disconnected)?? {
        Message::Text(text) => Ok(Some(serde_json::from_str(&text).unwrap())),
        Message::Close(_) => Err(Disconnected),
        _ => Ok(None),
    }
}

struct Connection<'a> {
    client: &'a Client,
    socket: Socket,
}

impl Connection<'_> {
    /// Runs until the connection breaks, the client abandons it, or the server does not answer.
    async fn run(&mut self) -> Result<(), Disconnected> {
        for room in ROOMS {
            self.join(room.parse().unwrap()).await?;
        }
        let mut next = Instant::now() + self.client.random_ms(10..400);
        let mut last_frame_at = Instant::now();
        let mut is_pinged = false;
        while !self.client.is_leaving() {
            let due = last_frame_at + if is_pinged { HEARTBEAT + PATIENCE } else { HEARTBEAT };
            tokio::select! {
                biased;
                frame = receive(&mut self.socket) => {
                    (last_frame_at, is_pinged) = (Instant::now(), false);
                    if let Some(frame) = frame? {
                        self.on_frame(frame).await?;
                    }
                }
                () = sleep_until(due) => {
                    if is_pinged {
                        return Err(Disconnected);
                    }
                    is_pinged = true;
                    send_command(&mut self.socket, Command::Ping).await?;
                }
                () = sleep_until(next) => {
                    next = Instant::now() + self.client.random_ms(10..400);
                    self.act().await?;
                }
            }
        }
        Ok(())
    }

    async fn join(&mut self, room: RoomName) -> Result<(), Disconnected> {
        let (since, history) = {
            let mut state = self.client.state.lock();
            (state.logs[&room].since(), state.rng.random_range(0..30))
        };
        send_command(&mut self.socket, Command::Join(Join { room, invite: None, since, history })).await
    }

    /// Asks for everything after the cursor, although the client is in the room.
    async fn resync(&mut self, room: RoomName) -> Result<(), Disconnected> {
        self.client.state.lock().log(&room).resync = Resync::Asked;
        self.join(room).await
    }

    /// Resyncs if an event was missed.
    async fn resync_if_needed(&mut self, room: RoomName) -> Result<(), Disconnected> {
        let resync = self.client.state.lock().log(&room).resync;
        if resync == Resync::Needed { self.resync(room).await } else { Ok(()) }
    }

    /// Asks for the messages before those that the client has.
    async fn read_older(&mut self, room: RoomName) -> Result<(), Disconnected> {
        let (before, limit) = {
            let mut state = self.client.state.lock();
            (Some(state.logs[&room].first), Some(state.rng.random_range(1..60)))
        };
        send_command(&mut self.socket, Command::History(History { room, before, after: None, limit })).await
    }

    /// Performs a random action in a random room, or joins the room if the client is not in it.
    async fn act(&mut self) -> Result<(), Disconnected> {
        let (room, is_member, resync, action, is_calm) = {
            let mut state = self.client.state.lock();
            let index = state.rng.random_range(0..ROOMS.len());
            let room: RoomName = ROOMS[index].parse().unwrap();
            let log = &state.logs[&room];
            let (is_member, resync) = (log.is_member, log.resync);
            (room, is_member, resync, state.rng.random_range(0..56), state.is_calm)
        };
        match action {
            _ if !is_member => self.join(room).await,
            _ if resync == Resync::Needed => self.resync(room).await,
            _ if is_calm => self.resend(&room).await,
            0 => Err(Disconnected),
            1 => self.leave_and_rejoin(room).await,
            2..6 => self.resend(&room).await,
            6 if resync == Resync::NotNeeded => self.resync(room).await,
            7..10 => self.read_older(room).await,
            10..14 => self.edit(room).await,
            14 => self.delete(room).await,
            40.. => self.react(room).await,
            _ => {
                let message = {
                    let mut state = self.client.state.lock();
                    let id = MessageId::from_random(state.rng.random());
                    let mention = if state.rng.random_range(0..8) == 0 { "@bob " } else { "" };
                    let rest = "x".repeat(state.rng.random_range(0..1_500));
                    let body = format!("{mention}{rest}").into();
                    let replies = state.rng.random_range(0..4) == 0;
                    let reply_to = if replies { state.random_text(&room) } else { None };
                    let message = Unacked { room, id, body, reply_to, sent: 1, is_only_here: true };
                    state.unacked.push(message.clone());
                    message
                };
                self.send(message).await
            }
        }
    }

    /// Edits a random own message.
    async fn edit(&mut self, room: RoomName) -> Result<(), Disconnected> {
        let edit = {
            let mut state = self.client.state.lock();
            let Some(target) = state.random_own(&room) else { return Ok(()) };
            let id = MessageId::from_random(state.rng.random());
            let body: Arc<str> = format!("edit {id}").into();
            let epoch = state.epoch(&room);
            let sent = SentEdit { room: room.clone(), target, epoch, body: Arc::clone(&body), acked: None };
            state.edits.insert(id.clone(), sent);
            Edit { room, target, body, id: Some(id) }
        };
        send_command(&mut self.socket, Command::Edit(edit)).await
    }

    /// Deletes a random own message.
    async fn delete(&mut self, room: RoomName) -> Result<(), Disconnected> {
        let target = self.client.state.lock().random_own(&room);
        let Some(target) = target else { return Ok(()) };
        send_command(&mut self.socket, Command::Delete(Delete { room, target })).await
    }

    /// Puts emoji on a random message, or removes them: the opposite of what the client has.
    async fn react(&mut self, room: RoomName) -> Result<(), Disconnected> {
        let reactions: Vec<_> = {
            let mut state = self.client.state.lock();
            let Some(target) = state.random_text(&room) else { return Ok(()) };
            let count = state.rng.random_range(1..5);
            (0..count)
                .map(|_| {
                    let emoji = Emoji::from_parsed(EMOJI[state.rng.random_range(0..EMOJI.len())]);
                    let held = state.logs[&room].messages.get(&target).and_then(|held| held.text.as_ref());
                    let reaction = held.and_then(|text| text.reactions.get(&emoji));
                    let has = reaction.is_some_and(|reaction| reaction.is_mine);
                    // now and then what it is already
                    let is_added = has == (state.rng.random_range(0..4) == 0);
                    ((room.clone(), target, emoji), is_added)
                })
                .collect()
        };
        for (key, is_added) in reactions {
            self.send_reaction(key, is_added).await?;
        }
        Ok(())
    }

    async fn send_reaction(&mut self, key: ReactionKey, is_added: bool) -> Result<(), Disconnected> {
        let reference = {
            let mut state = self.client.state.lock();
            let (epoch, outcome) = (state.epoch(&key.0), None);
            state.reactions.push(SentReaction { key: key.clone(), epoch, is_added, outcome });
            Some((state.reactions.len() - 1).to_string().parse().unwrap())
        };
        let (room, target, emoji) = key;
        let command = Command::React(React { room, target, emoji, on: is_added });
        send_frame(&mut self.socket, ClientFrame { reference, command }).await
    }

    /// Leaves a room and joins it again without waiting for the reply to the leave.
    async fn leave_and_rejoin(&mut self, room: RoomName) -> Result<(), Disconnected> {
        self.client.state.lock().log(&room).on_leave();
        send_command(&mut self.socket, Command::Leave { room: room.clone() }).await?;
        self.join(room).await
    }

    /// Sends the unacked messages of the room again, in order.
    async fn resend(&mut self, room: &RoomName) -> Result<(), Disconnected> {
        let resent: Vec<_> = {
            let mut state = self.client.state.lock();
            let unacked = state.unacked.iter_mut().filter(|message| message.room == *room);
            unacked
                .map(|message| {
                    message.sent += 1;
                    message.clone()
                })
                .collect()
        };
        for message in resent {
            self.send(message).await?;
        }
        // some of the edits, also those that are acked: each is carried out once. In another epoch
        // the number stands for another message
        let edits: Vec<_> = {
            let mut state = self.client.state.lock();
            let mut edits: Vec<_> = state.edits.clone().into_iter().collect();
            let epoch = state.epoch(room);
            edits.retain(|(_, edit)| edit.room == *room && edit.epoch == epoch);
            edits.retain(|_| state.rng.random_range(0..4) == 0);
            edits
        };
        for (id, SentEdit { room, target, body, .. }) in edits {
            send_command(&mut self.socket, Command::Edit(Edit { room, target, body, id: Some(id) })).await?;
        }
        // the latest reactions without an ack: each sets a state
        let reactions = {
            let state = self.client.state.lock();
            let epoch = state.epoch(room);
            let here = state.reactions.iter().filter(|sent| sent.key.0 == *room && sent.epoch == epoch);
            let latest: BTreeMap<_, _> =
                here.map(|sent| (sent.key.clone(), (sent.is_added, sent.outcome.is_some()))).collect();
            latest
        };
        for (key, (is_added, is_known)) in reactions {
            if !is_known && self.client.state.lock().rng.random() {
                self.send_reaction(key, is_added).await?;
            }
        }
        Ok(())
    }

    async fn send(&mut self, Unacked { room, id, body, reply_to, .. }: Unacked) -> Result<(), Disconnected> {
        let reference = Some(id.as_str().parse().unwrap());
        let command = Command::Send(Send { room, body, reply_to, id: Some(id) });
        send_frame(&mut self.socket, ClientFrame { reference, command }).await
    }

    async fn on_frame(&mut self, frame: ServerFrame) -> Result<(), Disconnected> {
        match frame {
            ServerFrame::Joined(joined) => {
                let room = joined.room.clone();
                self.client.state.lock().log(&room).on_joined(joined);
                self.resend(&room).await?;
            }
            ServerFrame::Message(message) => {
                let room = message.room.clone();
                self.client.on_message(message);
                self.resync_if_needed(room).await?;
            }
            ServerFrame::Edited(edited) => {
                let room = edited.room.clone();
                self.client.state.lock().log(&room).on_edited(edited);
                self.resync_if_needed(room).await?;
            }
            ServerFrame::Reactions(reactions) => {
                {
                    let mut state = self.client.state.lock();
                    let user = state.user.clone().unwrap();
                    state.log(&reactions.room).on_reactions(&reactions, &user);
                }
                self.resync_if_needed(reactions.room).await?;
            }
            ServerFrame::Deleted(deleted) => {
                self.client.state.lock().log(&deleted.room).on_deleted(&deleted);
                self.resync_if_needed(deleted.room).await?;
            }
            ServerFrame::Sync(sync) => {
                let room = sync.room.clone();
                self.client.state.lock().log(&room).on_sync(sync);
                self.resync_if_needed(room).await?;
            }
            ServerFrame::History(page) => {
                let room = page.room.clone();
                self.client.state.lock().log(&room).on_history(page);
                self.resync_if_needed(room).await?;
            }
            ServerFrame::Ack(ack) => self.client.on_ack(ack),
            ServerFrame::Presence(presence) => {
                let room = presence.room.clone();
                self.client.state.lock().log(&room).on_presence(&presence);
            }
            ServerFrame::Error(error) => match error.code {
                ErrorCode::StoreUnavailable => self.client.state.lock().on_uncertain_outcome(),
                // the message was deleted meanwhile, or retention has removed it
                ErrorCode::NotFound => self.client.on_not_found(error.reference),
                // the client retries later
                ErrorCode::UsernameTaken | ErrorCode::NotInRoom | ErrorCode::AlreadyInRoom => {}
                _ => panic!("{error:?}"),
            },
            ServerFrame::Left(_) | ServerFrame::Pong { .. } | ServerFrame::Bye(_) => {}
            other => panic!("{other:?}"),
        }
        Ok(())
    }
}

impl State {
    fn log(&mut self, room: &RoomName) -> &mut Log {
        self.logs.get_mut(room).unwrap()
    }

    /// The epoch of a room, as far as the client knows.
    fn epoch(&self, room: &RoomName) -> Option<Epoch> {
        self.logs[room].since().map(|since| since.epoch)
    }

    /// A message of this user that it may still edit, as far as the client knows.
    fn random_own(&mut self, room: &RoomName) -> Option<u64> {
        let own = self.logs[room].own(self.user.as_ref()?);
        (!own.is_empty()).then(|| own[self.rng.random_range(0..own.len())])
    }

    /// A message that is not deleted, as far as the client knows, mostly a new one.
    fn random_text(&mut self, room: &RoomName) -> Option<u64> {
        let texts = self.logs[room].texts();
        let among = if self.rng.random_range(0..4) == 0 { texts.len() } else { texts.len().min(2) };
        (among > 0).then(|| texts[texts.len() - 1 - self.rng.random_range(0..among)])
    }

    /// The reaction with this reference.
    fn reaction(&mut self, reference: Option<&Reference>) -> Option<&mut SentReaction> {
        let index: usize = reference?.as_str().parse().ok()?;
        self.reactions.get_mut(index)
    }

    /// Unacked messages may or may not be stored, so each may be delivered before its ack.
    fn on_uncertain_outcome(&mut self) {
        self.unacked.iter_mut().for_each(|message| message.is_only_here = false);
        self.logs.values_mut().for_each(Log::on_uncertain_outcome);
    }
}

impl Client {
    fn on_message(&self, message: MessageFrame) {
        let mut state = self.state.lock();
        let id = &message.id;
        let is_certain = |unacked: &Unacked| unacked.id == *id && unacked.sent == 1 && unacked.is_only_here;
        assert!(!state.unacked.iter().any(is_certain), "the ack precedes the message: {id}");
        let room = message.room.clone();
        state.log(&room).on_message(message);
    }

    /// A command was refused because a message does not exist any more.
    fn on_not_found(&self, reference: Option<Reference>) {
        let mut state = self.state.lock();
        if let Some(reaction) = state.reaction(reference.as_ref()) {
            reaction.outcome = Some(Outcome::NotFound);
        } else if let Some(reference) = reference {
            // a reply to this message cannot be sent any more
            let is_refused =
                |message: &Unacked| message.id.as_str() == reference.as_str() && message.reply_to.is_some();
            state.unacked.retain(|message| !is_refused(message));
        }
    }

    fn on_ack(&self, Ack { reference, room, seq, id, .. }: Ack) {
        let mut state = self.state.lock();
        let epoch = state.epoch(&room);
        if id.is_none()
            && let Some(reaction) = state.reaction(reference.as_ref())
        {
            assert!(reaction.outcome.is_none() && reaction.key.0 == room, "one ack");
            reaction.outcome = Some(Outcome::Acked { epoch, seq });
            return;
        }
        let (Some(seq), Some(id)) = (seq, id) else {
            // of a deletion, or an edit that changes nothing
            return;
        };
        if let Some(edit) = state.edits.get_mut(&id) {
            let acked = Acked { epoch, room, seq };
            let first = edit.acked.get_or_insert_with(|| acked.clone());
            assert!(first.epoch != acked.epoch || *first == acked, "a resent edit keeps its number");
            return;
        }
        state.unacked.retain(|message| message.id != id);
        let acked = Acked { epoch, room, seq };
        let first = state.acked.entry(id).or_insert_with(|| acked.clone());
        // the memory store forgets the id of a message that it prunes; if the message arrives once
        // more after that, it is stored again
        let may_be_pruned = acked.room == first.room && acked.seq >= first.seq + MIN_KEPT;
        let is_kept = first.epoch != acked.epoch || *first == acked;
        assert!(is_kept || may_be_pruned, "a resent message keeps its number");
    }

    fn on_disconnect(&self) {
        let mut state = self.state.lock();
        state.on_uncertain_outcome();
        state.logs.values_mut().for_each(Log::on_disconnect);
    }
}
