//! A client of `chat.v2` as the contract has it: it comes back, resumes, and sends again under the same id what was not acked.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chat_protocol::v2::{
    Ack, ClientFrame, Command, ErrorCode, Hello, Join, MessageFrame, SUBPROTOCOL, Send, ServerFrame,
};
use chat_protocol::{MessageId, RoomName, Username};
use futures::{SinkExt, StreamExt};
use parking_lot::Mutex;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use tokio::io::DuplexStream;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::line::{Address, Weather, connect};
use crate::log::{Log, Shown};
use crate::world::ROOMS;

/// How long a client waits for a handshake and a welcome, and for any sign of life after that.
const PATIENCE: Duration = Duration::from_secs(5);

/// After so long without a word it asks for a sign of life.
const HEARTBEAT: Duration = Duration::from_secs(3);

/// Something said that has no ack yet.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    pub(crate) room: RoomName,
    pub(crate) id: MessageId,
    pub(crate) body: Arc<str>,
    /// How often it was sent, and whether by this connection alone.
    sent: usize,
    only_here: bool,
}

/// One user, over all of its connections.
pub(crate) struct Client {
    pub(crate) username: Username,
    /// It wants a name that is another's, and leaves when it is calm.
    pub(crate) is_guest: bool,
    pub(crate) state: Mutex<State>,
}

pub(crate) struct State {
    rng: SmallRng,
    pub(crate) logs: BTreeMap<RoomName, Log>,
    /// In the order in which it was said.
    pub(crate) unacked: Vec<Said>,
    /// What was acked, and its place.
    pub(crate) acked: BTreeMap<MessageId, (RoomName, u64)>,
    /// For the next `hello`.
    secret: Option<String>,
    /// Nothing new is said any more.
    is_calm: bool,
}

type Socket = WebSocketStream<DuplexStream>;

/// Why a connection is over: only that it is.
struct Over;

impl From<Error> for Over {
    fn from(_: Error) -> Self {
        Self
    }
}

impl Client {
    pub(crate) fn new(name: &str, is_guest: bool, seed: u64) -> Self {
        let logs = ROOMS.iter().map(|room| (room.parse().unwrap(), Log::default())).collect();
        let state = State {
            rng: SmallRng::seed_from_u64(seed),
            logs,
            unacked: Vec::new(),
            acked: BTreeMap::new(),
            secret: None,
            is_calm: false,
        };
        Self { username: name.parse().unwrap(), is_guest, state: Mutex::new(state) }
    }

    pub(crate) fn calm_down(&self) {
        self.state.lock().is_calm = true;
    }

    fn is_going(&self) -> bool {
        self.is_guest && self.state.lock().is_calm
    }

    fn random_ms(&self, range: std::ops::Range<u64>) -> Duration {
        Duration::from_millis(self.state.lock().rng.random_range(range))
    }
}

/// Connects again and again.
pub(crate) async fn live(client: Arc<Client>, weather: Arc<Weather>, address: Address) {
    while !client.is_going() {
        if let Ok(Ok(socket)) = timeout(PATIENCE, begin(&client, &weather, &address)).await {
            let _ = Connection { client: &client, socket }.talk().await;
        }
        client.disconnected();
        sleep(client.random_ms(10..1_500)).await;
    }
}

async fn begin(client: &Client, weather: &Arc<Weather>, address: &Address) -> Result<Socket, Over> {
    let line = connect(address, weather).await.map_err(|_| Over)?;
    let mut request = "ws://chat.example/ws".into_client_request()?;
    request.headers_mut().insert("sec-websocket-protocol", SUBPROTOCOL.parse().map_err(|_| Over)?);
    let (mut socket, _) = client_async(request, line).await?;
    let resume = client.state.lock().secret.clone();
    let hello = Hello { username: client.username.clone(), resume, token: None, client: None, render: false };
    say(&mut socket, Command::Hello(hello)).await?;
    loop {
        if let Some(ServerFrame::Welcome(welcome)) = hear(&mut socket).await? {
            client.state.lock().secret = Some(welcome.resume);
            return Ok(socket);
        }
    }
}

async fn say(socket: &mut Socket, command: Command) -> Result<(), Over> {
    let frame = serde_json::to_string(&ClientFrame { reference: None, command }).unwrap();
    Ok(socket.send(Message::text(frame)).await?)
}

/// What comes next; none where it is no frame of the dialect.
async fn hear(socket: &mut Socket) -> Result<Option<ServerFrame>, Over> {
    match socket.next().await.ok_or(Over)?? {
        Message::Text(text) => Ok(Some(serde_json::from_str(&text).unwrap())),
        Message::Close(_) => Err(Over),
        _ => Ok(None),
    }
}

struct Connection<'a> {
    client: &'a Client,
    socket: Socket,
}

impl Connection<'_> {
    /// Until it breaks, is left, or nobody answers.
    async fn talk(&mut self) -> Result<(), Over> {
        for room in ROOMS {
            self.join(room.parse().unwrap()).await?;
        }
        let mut next = Instant::now() + self.client.random_ms(10..400);
        let mut heard = Instant::now();
        let mut asked = false;
        while !self.client.is_going() {
            let due = heard + if asked { HEARTBEAT + PATIENCE } else { HEARTBEAT };
            tokio::select! {
                biased;
                frame = hear(&mut self.socket) => {
                    (heard, asked) = (Instant::now(), false);
                    if let Some(frame) = frame? {
                        self.take(frame).await?;
                    }
                }
                () = sleep_until(due) => {
                    if asked {
                        return Err(Over);
                    }
                    asked = true;
                    say(&mut self.socket, Command::Ping).await?;
                }
                () = sleep_until(next) => {
                    next = Instant::now() + self.client.random_ms(10..400);
                    self.act().await?;
                }
            }
        }
        Ok(())
    }

    async fn join(&mut self, room: RoomName) -> Result<(), Over> {
        let since = self.client.state.lock().logs[&room].since();
        say(&mut self.socket, Command::Join(Join { room, since, history: 0 })).await
    }

    /// Does something that comes to its mind, in a room that it is in; joins one that it is not in.
    async fn act(&mut self) -> Result<(), Over> {
        let (room, is_in, what, is_calm) = {
            let mut state = self.client.state.lock();
            let place = state.rng.random_range(0..ROOMS.len());
            let room: RoomName = ROOMS[place].parse().unwrap();
            (room.clone(), state.logs[&room].is_in, state.rng.random_range(0..40), state.is_calm)
        };
        match what {
            _ if !is_in => self.join(room).await,
            _ if is_calm => self.send_again(&room).await,
            0 => Err(Over),
            1 => self.leave_and_come_again(room).await,
            2..6 => self.send_again(&room).await,
            _ => {
                let said = {
                    let mut state = self.client.state.lock();
                    let id = MessageId::from_random(state.rng.random());
                    let body = "x".repeat(state.rng.random_range(0..1_500)).into();
                    let said = Said { room, id, body, sent: 1, only_here: true };
                    state.unacked.push(said.clone());
                    said
                };
                self.send(said).await
            }
        }
    }

    /// The join does not wait for the answer to the leave.
    async fn leave_and_come_again(&mut self, room: RoomName) -> Result<(), Over> {
        self.client.state.lock().log(&room).leaves();
        say(&mut self.socket, Command::Leave { room: room.clone() }).await?;
        self.join(room).await
    }

    /// What has no ack is sent again, in its order.
    async fn send_again(&mut self, room: &RoomName) -> Result<(), Over> {
        let again: Vec<_> = {
            let mut state = self.client.state.lock();
            let unacked = state.unacked.iter_mut().filter(|said| said.room == *room);
            unacked
                .map(|said| {
                    said.sent += 1;
                    said.clone()
                })
                .collect()
        };
        for said in again {
            self.send(said).await?;
        }
        Ok(())
    }

    async fn send(&mut self, Said { room, id, body, .. }: Said) -> Result<(), Over> {
        say(&mut self.socket, Command::Send(Send { room, body, id: Some(id) })).await
    }

    async fn take(&mut self, frame: ServerFrame) -> Result<(), Over> {
        match frame {
            ServerFrame::Joined(joined) => {
                let room = joined.room.clone();
                self.client.state.lock().log(&room).joined(joined);
                self.send_again(&room).await?;
            }
            ServerFrame::Message(message) => self.client.message(message),
            ServerFrame::Ack(ack) => self.client.acked(ack),
            ServerFrame::Presence(presence) => {
                let room = presence.room.clone();
                self.client.state.lock().log(&room).presence(&presence);
            }
            ServerFrame::Error(error) => match error.code {
                ErrorCode::StoreUnavailable => self.client.state.lock().unknown_fate(),
                // each is tried again later
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

    /// What was sent may be stored or not: no ack may come before it is shown.
    fn unknown_fate(&mut self) {
        self.unacked.iter_mut().for_each(|said| said.only_here = false);
    }
}

impl Client {
    fn message(&self, MessageFrame { room, seq, id, from, body, .. }: MessageFrame) {
        let mut state = self.state.lock();
        let first_sent = |said: &Said| said.id == id && said.sent == 1 && said.only_here;
        assert!(!state.unacked.iter().any(first_sent), "an ack comes before what it is about: {id}");
        state.log(&room).show(Shown { seq, id, from, body });
    }

    fn acked(&self, Ack { room, seq, id, .. }: Ack) {
        let mut state = self.state.lock();
        state.unacked.retain(|said| said.id != id);
        let place = state.acked.entry(id).or_insert_with(|| (room.clone(), seq));
        assert_eq!(*place, (room, seq), "sent again it is the same message");
    }

    fn disconnected(&self) {
        let mut state = self.state.lock();
        state.logs.values_mut().for_each(Log::is_out);
        state.unknown_fate();
    }
}
