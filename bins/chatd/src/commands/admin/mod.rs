//! `chatd admin`: administers a running server through its admin API.

pub(super) mod client;
mod commands;
pub(super) mod confirm;
mod new_epoch;
pub(super) mod output;
pub(super) mod tables;
pub(super) mod target;

use std::io;

use chat_admin::v1::SettingsChange;

use crate::cli::{Admin, AdminCommand, AnnouncementCommand};
use client::RequestError;
use commands::Commands;
use confirm::NotConfirmed;
use new_epoch::NewEpochError;
use output::Output;
use target::TargetError;

/// Why the command failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum AdminError {
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error(transparent)]
    NewEpoch(#[from] NewEpochError),
    #[error(transparent)]
    NotConfirmed(#[from] NotConfirmed),
    #[error(transparent)]
    Print(#[from] io::Error),
}

/// Runs the command and prints its result with `print`.
pub(super) fn run(
    Admin { target, json, command }: Admin,
    print: impl Fn(&str) -> io::Result<()>,
) -> Result<(), AdminError> {
    if matches!(command, AdminCommand::Openapi) {
        return Ok(print(&chat_admin::v1::openapi())?);
    }
    if let AdminCommand::NewEpoch(location) = &command {
        return Ok(print(&new_epoch::run(location)?)?);
    }
    let client = target::client(&target)?;
    let commands = Commands { client: &client, output: Output { client: &client, json, print } };
    match command {
        AdminCommand::Openapi | AdminCommand::NewEpoch(_) => Ok(()),
        AdminCommand::Rooms => commands.rooms(),
        AdminCommand::Members { room, all } => commands.members(&room, all),
        AdminCommand::Sessions => commands.sessions(),
        AdminCommand::Kick { room, username } => commands.kick(&room, &username),
        AdminCommand::CloseRoom { room, confirmation } => commands.close_room(&room, &confirmation),
        AdminCommand::Settings {
            room,
            title,
            topic,
            visibility,
            join,
            post,
            slow_mode: slow_mode_s,
            mention_room,
            confirmation,
        } => {
            let change = SettingsChange { title, topic, visibility, join, post, slow_mode_s, mention_room };
            commands.settings(&room, &change, &confirmation)
        }
        AdminCommand::Rules { room } => commands.rules(room.as_deref()),
        AdminCommand::Role { room, user, role } => commands.role(&room, &user, role.0),
        AdminCommand::Moderate { room, act } => commands.moderate(Some(&room), act),
        AdminCommand::ModerateServer { act } => commands.moderate(None, act),
        AdminCommand::Reports { room, limit } => commands.reports(room.as_deref(), limit),
        AdminCommand::CloseReport { room, number, confirmation } => {
            commands.close_report(&room, number, &confirmation)
        }
        AdminCommand::Audit { room, limit } => commands.audit(room.as_deref(), limit),
        AdminCommand::CloseSession { session } => commands.close_session(&session),
        AdminCommand::Usage { from, to, room } => {
            commands.usage(from.as_deref(), to.as_deref(), room.as_deref())
        }
        AdminCommand::Export { author } => commands.export(&author),
        AdminCommand::Erase { author, confirmation } => commands.erase(&author, &confirmation),
        AdminCommand::Notice { room, level, body } => commands.notice(room.as_deref(), level, body),
        AdminCommand::Announcement { command: None } => commands.announcement(),
        AdminCommand::Announcement {
            command: Some(AnnouncementCommand::Set { level, body, confirmation }),
        } => commands.announce(level, body, &confirmation),
        AdminCommand::Announcement { command: Some(AnnouncementCommand::Withdraw { confirmation }) } => {
            commands.withdraw_announcement(&confirmation)
        }
    }
}
