//! Compares what everyone saw, what is stored and the audit log with the model.

mod audit;
mod history;
mod refusals;
mod restrictions;
mod standings;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chat_testkit::{soon, until};
use serde_json::{Value, json};

use crate::link::Link;
use crate::log::text;
use crate::model::Room;
use crate::server::{Running, newest};
use crate::world::{OWNER, PAIRS, World};

pub(crate) async fn all(server: Running, world: &Arc<World>, mut links: Vec<Link>) {
    // nobody does anything any more: everyone receives what is in flight
    for link in &mut links {
        for room in &world.rooms {
            let newest = newest(&server.history, room).await;
            soon("everything has arrived", link.until(room, newest)).await;
        }
        link.drain().await;
    }
    let log = world.log();
    let rooms: BTreeMap<&str, Room> =
        world.rooms.iter().map(|room| (room.as_str(), Room::new(&log, room))).collect();
    for link in &links {
        history::views(link, &rooms);
    }
    standings::presence(world, &links).await;
    members(world, &mut links).await;

    let mut readers = Vec::new();
    for room in &world.rooms {
        let reader = reader(world, room);
        let mut link = Link::connect(world, &world.users[reader]).await;
        link.join(room, false).await;
        history::pages(&mut link, room, &rooms[room.as_str()]).await;
        readers.push(link);
    }
    let mut audits = Vec::new();
    for (link, room) in readers.iter_mut().zip(&world.rooms[..3]) {
        audits.push(audit::read(link, room).await);
        audit::reports(link, room, &log).await;
        standings::in_effect(&server, room).await;
    }
    for link in links.iter_mut().chain(&mut readers) {
        link.leave_all();
    }

    let stored = server.stop().await;
    for room in &world.rooms {
        let model = &rooms[room.as_str()];
        history::stored(&stored, room, model).await;
        restrictions::all(world, &log, room, model);
        refusals::all(world, &log, room);
        standings::stored(&stored, world, room).await;
    }
    let records = audit::stored(&stored).await;
    audit::all(world, &log, &records, &audits);
    summary(&log, &rooms, records.len());
}

/// Someone who is certainly admitted to the room: the owner, or one of the two.
fn reader(world: &World, room: &str) -> usize {
    let pair = world.rooms[3..].iter().position(|direct| direct == room);
    pair.map_or(OWNER, |pair| PAIRS[pair][1])
}

/// The members of each room are those who have a session there.
async fn members(world: &World, links: &mut [Link]) {
    for room in &world.rooms {
        let present = |link: &&Link| link.is_in(room);
        let expected: BTreeSet<_> =
            links.iter().filter(present).map(|link| link.user.name.to_owned()).collect();
        let Some(asker) = links.iter().position(|link| link.is_in(room)) else { continue };
        // a replaced session that did not join again leaves a moment later
        let link = tokio::sync::Mutex::new(&mut links[asker]);
        let agree = async || {
            let (page, _) = link.lock().await.ask(json!({"type": "members", "room": room})).await;
            let members = page["members"].as_array().unwrap().iter();
            let names: BTreeSet<_> = members.map(|member| text(member, "username").to_owned()).collect();
            assert_eq!(page["more"], Value::Bool(false));
            names == expected
        };
        until(&format!("the members of {room} are {expected:?}"), agree).await;
    }
}

/// What happened, with `--nocapture`.
fn summary(log: &[crate::log::Entry], rooms: &BTreeMap<&str, Room>, records: usize) {
    let mut outcomes: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for entry in log {
        *outcomes.entry((entry.kind(), crate::log::outcome(&entry.answer))).or_default() += 1;
    }
    println!("{} commands, {records} records of the audit log: {outcomes:?}", log.len());
    let events: Vec<_> = rooms.iter().map(|(name, room)| (name, room.events.len())).collect();
    println!("events: {events:?}");
}
