//! Properties of any frame of the protocol `chat.v2`.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use chat_protocol::v2::{
    self, Ack, Announcement, AnnouncementFrame, Bye, ClientFrame, Command, ConfigureRoom, Deleted, DeletedBy,
    Edited, Error, ErrorCode, Hello, History, HistoryPage, Join, Joined, Left, LeftReason, MemberInfo,
    Members, MembersPage, MessageFrame, Moderate, Notice, NoticeLevel, Presence, React, ReactionChange,
    ReactionCount, Reactions, Removable, RoomChanged, RoomInfo, Send, ServerFrame, SetRole, Since,
    StoredMessage, SyncFrame, Typing, User, Welcome, WelcomeLimits, You,
};
use chat_protocol::{
    AnnouncementId, Content, Emoji, Epoch, GuestToken, InviteCode, MayJoin, MayPost, Mention, Message,
    MessageId, Moderation, Reactor, Reference, ReplyTo, Role, RoomName, RoomRole, RoomSettings, Standing,
    Text, Timestamp, UserId, UserKind, Username, Visibility,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::{Value, json};
use unicode_normalization::UnicodeNormalization;

fn text() -> impl Strategy<Value = String> {
    any::<String>()
}

fn body() -> impl Strategy<Value = Arc<str>> {
    text().prop_map(Arc::from)
}

fn room() -> impl Strategy<Value = RoomName> {
    let name = "[\\p{L}\\p{N}_-]{1,64}".prop_filter_map("a name", |text| RoomName::parse(&text).ok());
    prop_oneof![4 => name, 1 => any::<u128>().prop_map(RoomName::address_from_random)]
}

fn username() -> impl Strategy<Value = Username> {
    "[\\p{L}\\p{N}_-]{1,50}".prop_filter_map("a name", |text| Username::parse(&text).ok())
}

fn user_id() -> impl Strategy<Value = UserId> {
    "[A-Za-z0-9_-]{1,64}".prop_map(|text| text.parse().unwrap())
}

fn user() -> impl Strategy<Value = User> {
    let kind = prop_oneof![Just(UserKind::Guest), Just(UserKind::Account), Just(UserKind::Service)];
    let role = prop_oneof![Just(Role::User), Just(Role::Moderator), Just(Role::Admin)];
    (user_id(), username(), kind, role, vec(user_id(), 0..3))
        .prop_map(|(id, username, kind, role, was)| User { id, username, kind, role, was })
}

fn guest_token() -> impl Strategy<Value = Option<GuestToken>> {
    option::of(any::<[u8; 32]>().prop_map(GuestToken::from_random))
}

fn id() -> impl Strategy<Value = MessageId> {
    vec(any::<char>(), 1..=64).prop_map(|chars| chars.into_iter().collect::<String>().parse().unwrap())
}

fn reference() -> impl Strategy<Value = Option<Reference>> {
    let text = vec(any::<char>(), 0..=64).prop_map(|chars| chars.into_iter().collect::<String>());
    option::of(text.prop_map(|text| text.parse().unwrap()))
}

fn epoch() -> impl Strategy<Value = Epoch> {
    body().prop_map(Epoch::new)
}

fn time() -> impl Strategy<Value = Timestamp> {
    (0..=253_402_300_799_999_i64).prop_map(Timestamp::from_millis)
}

fn command() -> impl Strategy<Value = Command> {
    let optional = || option::of(text());
    let hello = (option::of(username()), optional(), guest_token(), optional(), optional(), any::<bool>())
        .prop_map(|(username, token, guest_token, replaces, client, render)| {
            Command::Hello(Hello { username, token, guest_token, replaces, client, render })
        });
    let since = (epoch(), any::<u64>()).prop_map(|(epoch, seq)| Since { epoch, seq });
    let number = || option::of(any::<u64>());
    prop_oneof![
        hello,
        (room(), option::of(any::<u128>()), option::of(since), any::<u64>()).prop_map(
            |(room, invite, since, history)| {
                let invite = invite.map(InviteCode::from_random);
                Command::Join(Join { room, invite, since, history })
            }
        ),
        (room(), any::<bool>()).prop_map(|(room, removes)| {
            let title = Removable((!removes).then(|| "A \"title\"".parse().unwrap()));
            Command::ConfigureRoom(ConfigureRoom {
                room,
                title: Some(title),
                topic: Some(Removable(None)),
                visibility: Some(Visibility::Public),
                join: None,
                post: None,
                slow_mode_s: None,
                mention_room: None,
            })
        }),
        room().prop_map(|room| Command::Leave { room }),
        (room(), body(), number(), option::of(id()))
            .prop_map(|(room, body, reply_to, id)| Command::Send(Send { room, body, reply_to, id })),
        (room(), any::<u64>(), emoji(), any::<bool>())
            .prop_map(|(room, target, emoji, on)| Command::React(React { room, target, emoji, on })),
        (room(), number(), number(), number()).prop_map(|(room, before, after, limit)| {
            Command::History(History { room, before, after, limit })
        }),
        (room(), option::of(text()), option::of(text()), number()).prop_map(
            |(room, after, prefix, limit)| {
                // parts of names are normalised like names
                let normalized = |part: Option<String>| part.map(|part| part.nfc().collect());
                Command::Members(Members {
                    room,
                    after: normalized(after),
                    prefix: normalized(prefix),
                    limit,
                })
            }
        ),
        room().prop_map(|room| Command::Typing { room }),
        (room(), option::of(user_id()), option::of(any::<u64>()), moderation(), option::of(any::<u64>()))
            .prop_map(|(room, user, target, action, for_s)| {
                let reason = for_s.map(|_| "why\nso".parse().unwrap());
                Command::Moderate(Moderate { room: Some(room), action, user, target, reason, for_s })
            }),
        (room(), user_id(), option::of(proptest::sample::select(RoomRole::ALL.to_vec())))
            .prop_map(|(room, user, role)| Command::SetRole(SetRole { room, user, role })),
        Just(Command::Ping),
    ]
}

/// Any standing, from a number.
fn standing(n: u64) -> Standing {
    let role = RoomRole::ALL.get(usize::try_from(n % 4).unwrap()).copied();
    let until = (n.is_multiple_of(3)).then(|| Timestamp::from_millis(1_700_000_000_000));
    Standing::new(role, n.is_multiple_of(5).then_some(until))
}

fn moderation() -> impl Strategy<Value = Moderation> {
    proptest::sample::select(Moderation::ALL.to_vec())
}

fn members() -> impl Strategy<Value = Vec<MemberInfo>> {
    let member = (username(), user_id(), time());
    vec(member.prop_map(|(username, user, joined_at)| MemberInfo::new(username, user, joined_at)), 0..4)
}

fn emoji() -> impl Strategy<Value = Emoji> {
    prop_oneof![Just("👍"), Just(":tada:"), Just("\u{2764}")].prop_map(|text| Emoji::parse(text).unwrap())
}

fn reactors() -> impl Strategy<Value = Vec<Reactor>> {
    vec((username(), user_id()).prop_map(|(username, user)| Reactor { username, user }), 0..3)
}

fn reactions() -> impl Strategy<Value = Vec<ReactionCount>> {
    let reaction = (emoji(), any::<u64>(), vec(username(), 0..3), any::<bool>());
    vec(reaction.prop_map(|(emoji, count, users, mine)| ReactionCount { emoji, count, users, mine }), 0..3)
}

/// What a message replies to, and whom it addresses.
fn context() -> impl Strategy<Value = (Option<Arc<ReplyTo>>, Option<Arc<[Mention]>>)> {
    let reply_to = (any::<u64>(), username(), user_id())
        .prop_map(|(seq, from, user)| Arc::new(ReplyTo { seq, from, user }));
    let mention = prop_oneof![Just(Mention::Room), user_id().prop_map(Mention::User)];
    (option::of(reply_to), option::of(vec(mention, 1..3).prop_map(Arc::from)))
}

fn stored() -> impl Strategy<Value = Vec<StoredMessage>> {
    let text = (
        any::<u64>(),
        id(),
        username(),
        user_id(),
        body(),
        option::of(body()),
        context(),
        time(),
        option::of(any::<u64>()),
        reactions(),
    )
        .prop_map(|(seq, id, from, user, body, html, context, sent_at, changed_seq, reactions)| {
            StoredMessage::Text {
                seq,
                id,
                from,
                user,
                body,
                html,
                reply_to: context.0,
                mentions: context.1,
                reactions,
                sent_at,
                edited_at: changed_seq.map(|_| sent_at),
                changed_seq,
            }
        });
    let deleted =
        (any::<u64>(), time(), deleted_by(), any::<u64>()).prop_map(|(seq, sent_at, by, changed_seq)| {
            StoredMessage::Deleted { seq, sent_at, deleted: true, by, changed_seq }
        });
    vec(prop_oneof![text, deleted], 0..4)
}

fn deleted_by() -> impl Strategy<Value = DeletedBy> {
    prop_oneof![Just(DeletedBy::Author), Just(DeletedBy::Moderator), Just(DeletedBy::Operator)]
}

fn limits() -> impl Strategy<Value = WelcomeLimits> {
    any::<(u64, u32, u32, u32, u32, u32)>().prop_map(
        |(message_bytes, messages_per_second, burst, rooms, sessions, edit_window_s)| WelcomeLimits {
            message_bytes,
            messages_per_second,
            burst,
            rooms,
            sessions,
            edit_window_s,
        },
    )
}

fn announcement() -> impl Strategy<Value = Announcement> {
    let level = prop_oneof![Just(NoticeLevel::Info), Just(NoticeLevel::Warning)];
    (any::<u64>(), level, body(), option::of(body())).prop_map(|(id, level, body, html)| Announcement {
        id: AnnouncementId::from_random(id),
        level,
        body,
        html,
    })
}

fn reply() -> impl Strategy<Value = ServerFrame> {
    let reason = prop_oneof![
        Just(LeftReason::Asked),
        Just(LeftReason::Kicked),
        Just(LeftReason::RoomClosed),
        Just(LeftReason::NotAllowed)
    ];
    prop_oneof![
        (
            reference(),
            text(),
            user(),
            guest_token(),
            option::of(time()),
            text(),
            limits(),
            any::<u64>(),
            option::of(announcement())
        )
            .prop_map(
                |(
                    reference,
                    session,
                    user,
                    guest_token,
                    expires_at,
                    server,
                    limits,
                    heartbeat_ms,
                    announcement,
                )| {
                    ServerFrame::Welcome(Welcome {
                        reference,
                        session,
                        user,
                        guest_token,
                        expires_at,
                        server,
                        limits,
                        heartbeat_ms,
                        announcement,
                    })
                }
            ),
        (
            reference(),
            room(),
            epoch(),
            any::<[u64; 5]>(),
            members(),
            stored(),
            option::of(stored()),
            settings()
        )
            .prop_map(
                |(
                    reference,
                    room,
                    epoch,
                    [seq, oldest, member_count, first, last],
                    members,
                    messages,
                    changed,
                    info,
                )| {
                    ServerFrame::Joined(Joined {
                        reference,
                        room,
                        epoch,
                        seq,
                        oldest,
                        info: RoomInfo { standing: standing(seq), ..info.into() },
                        members,
                        member_count,
                        first,
                        last,
                        messages,
                        recovered: changed.is_some(),
                        changed,
                    })
                }
            ),
        (reference(), room(), reason).prop_map(|(reference, room, reason)| ServerFrame::Left(Left {
            reference,
            room,
            reason,
            until: None,
        })),
        (reference(), room(), option::of(any::<u64>()), option::of(id()), option::of(time()), any::<bool>())
            .prop_map(|(reference, room, seq, id, sent_at, stored)| {
                ServerFrame::Ack(Ack { reference, room, seq, id, sent_at, stored })
            }),
        (reference(), room(), epoch(), any::<(u64, u64)>(), stored(), any::<bool>()).prop_map(
            |(reference, room, epoch, (first, last), messages, more)| {
                ServerFrame::History(HistoryPage { reference, room, epoch, first, last, messages, more })
            }
        ),
        (reference(), room(), members(), any::<u64>(), any::<bool>()).prop_map(
            |(reference, room, members, member_count, more)| {
                ServerFrame::Members(MembersPage { reference, room, members, member_count, more })
            }
        ),
        reference().prop_map(|reference| ServerFrame::Pong { reference }),
    ]
}

fn settings() -> impl Strategy<Value = RoomSettings> {
    let join = prop_oneof![Just(MayJoin::Everyone), Just(MayJoin::Accounts)];
    let post = prop_oneof![Just(MayPost::Everyone), Just(MayPost::Accounts), Just(MayPost::Moderators)];
    (join, post).prop_map(|(join, post)| RoomSettings::default().join(join).post(post))
}

fn unsolicited() -> impl Strategy<Value = ServerFrame> {
    let level = prop_oneof![Just(NoticeLevel::Info), Just(NoticeLevel::Warning)];
    let code = (0..ErrorCode::ALL.len()).prop_map(|n| ErrorCode::ALL[n]);
    prop_oneof![
        (room(), any::<u64>(), id(), username(), user_id(), body(), option::of(body()), context(), time())
            .prop_map(|(room, seq, id, from, user, body, html, (reply_to, mentions), sent_at)| {
                let frame =
                    MessageFrame { room, seq, id, from, user, body, html, reply_to, mentions, sent_at };
                ServerFrame::Message(frame)
            }),
        (room(), any::<u64>(), any::<u64>(), body(), option::of(body()), context(), time()).prop_map(
            |(room, seq, target, body, html, (_, mentions), edited_at)| {
                ServerFrame::Edited(Edited { room, seq, target, body, html, mentions, edited_at })
            }
        ),
        (
            room(),
            option::of(any::<u64>()),
            any::<(u64, u64)>(),
            vec((emoji(), any::<u64>(), reactors(), reactors()), 0..3)
        )
            .prop_map(|(room, first_seq, (seq, target), changes)| {
                let change = |(emoji, count, added, removed)| ReactionChange { emoji, count, added, removed };
                let changes = changes.into_iter().map(change).collect();
                ServerFrame::Reactions(Reactions { room, first_seq, seq, target, changes })
            }),
        (room(), any::<u64>(), vec(any::<u64>(), 0..4), deleted_by())
            .prop_map(|(room, seq, targets, by)| ServerFrame::Deleted(Deleted { room, seq, targets, by })),
        (room(), any::<u64>(), option::of(username()), settings()).prop_map(|(room, seq, by, info)| {
            ServerFrame::RoomChanged(RoomChanged { room, seq, by, info: info.into() })
        }),
        (room(), any::<u64>()).prop_map(|(room, n)| ServerFrame::You(You { room, standing: standing(n) })),
        (room(), any::<(u64, u64)>(), option::of((stored(), stored())), option::of(settings())).prop_map(
            |(room, (first_seq, seq), lists, info)| {
                let recovered = lists.is_some();
                let (messages, changed) = lists.unzip();
                ServerFrame::Sync(SyncFrame {
                    room,
                    first_seq,
                    seq,
                    recovered,
                    messages,
                    changed,
                    info: info.map(Into::into),
                })
            }
        ),
        (room(), members(), vec(username(), 0..4), any::<u64>(), any::<bool>()).prop_map(
            |(room, joined, left, member_count, partial)| {
                ServerFrame::Presence(Presence { room, joined, left, member_count, partial })
            }
        ),
        (room(), username()).prop_map(|(room, username)| ServerFrame::Typing(Typing { room, username })),
        (option::of(room()), level, body()).prop_map(|(room, level, body)| ServerFrame::Notice(Notice {
            room,
            level,
            body
        })),
        announcement().prop_map(|announcement| ServerFrame::Announcement(announcement.into())),
        any::<u64>().prop_map(|id| {
            let id = AnnouncementId::from_random(id);
            ServerFrame::Announcement(AnnouncementFrame::withdrawal(id))
        }),
        (reference(), code, body(), option::of(any::<u64>()), option::of(time())).prop_map(
            |(reference, code, message, retry_after_ms, until)| {
                ServerFrame::Error(Error { reference, code, message, retry_after_ms, denied: None, until })
            }
        ),
        (any::<u16>(), text(), any::<bool>(), option::of(any::<u64>())).prop_map(
            |(code, reason, reconnect, after_ms)| ServerFrame::Bye(Bye { code, reason, reconnect, after_ms })
        ),
    ]
}

fn event() -> impl Strategy<Value = ServerFrame> {
    prop_oneof![reply(), unsolicited()]
}

/// Adds fields to every object that no version of the protocol has.
fn add_unknown_fields(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.values_mut().for_each(add_unknown_fields);
            fields.insert("x_new".into(), json!({"type": "x", "deep": [[null, 1.5e3, "é"]]}));
            fields.insert("__proto__".into(), Value::Null);
        }
        Value::Array(items) => items.iter_mut().for_each(add_unknown_fields),
        _ => {}
    }
}

/// Text that resembles a frame: the words and punctuation of the protocol in any order.
fn almost_frame() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        "[{}\\[\\]:,]",
        "\"(type|ref|room|since|epoch|seq|body|after)\"",
        "\"(hello|join|send|history|ping)\"",
        "-?[0-9]{1,25}(\\.[0-9])?(e[0-9]{1,3})?",
        "(null|true|false|\"\\\\u[0-9a-f]{4}\"|\"\\PC{0,3}\")",
    ];
    vec(word, 0..30).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn a_written_command_is_read_unchanged(reference in reference(), command in command()) {
        let frame = ClientFrame { reference, command };
        let text = serde_json::to_string(&frame).unwrap();
        prop_assert_eq!(v2::read(&text), Ok(frame.clone()));
        // a server in Rust may also read it through serde
        prop_assert_eq!(serde_json::from_str::<ClientFrame>(&text).unwrap(), frame);
    }

    #[test]
    fn unknown_fields_of_a_command_are_ignored(reference in reference(), command in command()) {
        let frame = ClientFrame { reference, command };
        let mut value = serde_json::to_value(&frame).unwrap();
        add_unknown_fields(&mut value);
        prop_assert_eq!(v2::read(&value.to_string()), Ok(frame));
    }

    #[test]
    fn a_rejected_frame_keeps_its_ref(
        reference in reference(),
        kind in prop_oneof![Just("hello"), Just("join"), Just("send"), Just("history"), Just("members"), Just("x")],
        cut in 0_usize..20,
    ) {
        let value = json!({"a": 1, "ref": reference, "type": kind, "username": [], "room": {"x": "y"}}).to_string();
        let rejected = v2::read(&value).unwrap_err();
        prop_assert_eq!(&rejected.reference, &reference);
        // truncated after the ref
        let end = value.find("\"room\"").unwrap() + cut.min(15);
        let rejected = v2::read(&value[..end]).unwrap_err();
        prop_assert_eq!(rejected.code, ErrorCode::BadJson);
        prop_assert_eq!(&rejected.reference, &reference);
    }

    #[test]
    fn a_written_server_frame_is_read_unchanged(frame in event()) {
        let mut out = Vec::new();
        v2::write_frame(&frame, &mut out);
        prop_assert_eq!(serde_json::from_slice::<ServerFrame>(&out).unwrap(), frame);
    }

    #[test]
    fn unknown_fields_of_a_server_frame_are_ignored(frame in event()) {
        let mut value = serde_json::to_value(&frame).unwrap();
        add_unknown_fields(&mut value);
        prop_assert_eq!(serde_json::from_value::<ServerFrame>(value).unwrap(), frame);
    }

    #[test]
    fn reading_any_text_does_not_panic(frame in any::<String>(), text in almost_frame()) {
        let _ = v2::read(&frame);
        let _ = v2::read(&text);
        let _ = v2::read(&format!("{{{text}"));
    }

    #[test]
    fn the_encoded_size_of_a_message_is_an_upper_bound(
        id in id(), user in user_id(), from in username(), body in body(), seq in 1..1_u64 << 63,
    ) {
        let room = RoomName::parse("r").unwrap();
        let content = Content::Text(Text::new(id, user, from, body));
        let message = Message::new(room, seq, Timestamp::from_millis(0), content);
        // with the comma between two messages of a list
        let encoded = serde_json::to_string(&StoredMessage::from(&message)).unwrap().len() + 1;
        prop_assert!(encoded <= message.encoded_size(), "{} > {}", encoded, message.encoded_size());
    }
}
