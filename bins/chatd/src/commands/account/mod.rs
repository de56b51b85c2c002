//! `chatd account`: manages the accounts of a running server through its admin API.

mod password;
mod tables;

use std::io;

use chat_admin::v1::{
    Account, AccountChange, Accounts, CreatedInvite, InviteRequest, Invites, NewUser, Tokens, TokensRemoved,
};

use super::admin::AdminError;
use super::admin::client::Client;
use super::admin::confirm::Undo;
use super::admin::output::Output;
use super::admin::target;
use crate::cli::{AccountArguments, AccountCommand, Confirmation, plural};
use password::PasswordError;

/// Why the command failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum AccountError {
    #[error(transparent)]
    Admin(#[from] AdminError),
    #[error(transparent)]
    Password(#[from] PasswordError),
}

/// Runs the command and prints its result with `print`.
pub(super) fn run(
    AccountArguments { target, json, command }: AccountArguments,
    print: impl Fn(&str) -> io::Result<()>,
) -> Result<(), AccountError> {
    let client = target::client(&target).map_err(AdminError::from)?;
    let commands = Commands { output: Output { client: &client, json, print } };
    match command {
        AccountCommand::Add { username, role, service, no_password, password } => {
            let password = if no_password { None } else { Some(password::read(&password)?) };
            let request = NewUser { username, password, role, service };
            commands.add(&request)?;
        }
        AccountCommand::List => commands.list()?,
        AccountCommand::Show { username } => commands.show(&username)?,
        AccountCommand::Disable { username } => {
            let change = AccountChange { disabled: Some(true), ..AccountChange::default() };
            commands.change(&username, &change, |account| sentence(account, "is disabled"))?;
        }
        AccountCommand::Enable { username } => {
            let change = AccountChange { disabled: Some(false), ..AccountChange::default() };
            commands.change(&username, &change, |account| sentence(account, "is enabled"))?;
        }
        AccountCommand::Password { username, password } => {
            let password = Some(password::read(&password)?);
            let change = AccountChange { password, ..AccountChange::default() };
            commands.change(&username, &change, |account| sentence(account, "has a new password"))?;
        }
        AccountCommand::Role { username, role } => {
            let change = AccountChange { role: Some(role), ..AccountChange::default() };
            commands.change(&username, &change, |account| {
                sentence(account, &format!("has the role {}", tables::role(account)))
            })?;
        }
        AccountCommand::Tokens { username, remove: false, .. } => commands.tokens(&username)?,
        AccountCommand::Tokens { username, remove: true, confirmation } => {
            commands.remove_tokens(&username, &confirmation)?;
        }
        AccountCommand::Delete { username, erase_messages, confirmation } => {
            commands.delete(&username, erase_messages, &confirmation)?;
        }
        AccountCommand::Invite { list: true, .. } => commands.invites()?,
        AccountCommand::Invite { remove: Some(id), confirmation, .. } => {
            commands.remove_invite(&id, &confirmation)?;
        }
        AccountCommand::Invite { uses, valid_for, .. } => {
            commands.invite(&InviteRequest { uses: Some(uses), for_s: Some(valid_for.as_secs()) })?;
        }
    }
    Ok(())
}

struct Commands<'a, P> {
    output: Output<'a, P>,
}

impl<P: Fn(&str) -> io::Result<()>> Commands<'_, P> {
    fn client(&self) -> &Client {
        self.output.client
    }

    fn add(&self, request: &NewUser) -> Result<(), AdminError> {
        let answer = self.client().post(&["accounts"], request)?;
        self.output.response::<Account>(&answer, |account| sentence(account, "is created"))
    }

    fn change(
        &self,
        username: &str,
        change: &AccountChange,
        done: impl Fn(&Account) -> String,
    ) -> Result<(), AdminError> {
        let answer = self.client().patch(&["accounts", username], change)?;
        self.output.response::<Account>(&answer, done)
    }

    fn list(&self) -> Result<(), AdminError> {
        let mut all = Accounts { accounts: Vec::new(), next: None };
        self.output.pages(|query| {
            let page: Accounts = self.client().parse(&self.client().get(&["accounts"], query)?)?;
            all.accounts.extend(page.accounts);
            Ok(page.next)
        })?;
        self.output.result(&all, |all| tables::accounts(&all.accounts))
    }

    fn show(&self, username: &str) -> Result<(), AdminError> {
        let answer = self.client().get(&["accounts", username], &[])?;
        self.output.response::<Account>(&answer, |account| tables::accounts(std::slice::from_ref(account)))
    }

    fn tokens(&self, username: &str) -> Result<(), AdminError> {
        let answer = self.client().get(&["accounts", username, "tokens"], &[])?;
        self.output.response::<Tokens>(&answer, tables::tokens)
    }

    fn remove_tokens(&self, username: &str, confirmation: &Confirmation) -> Result<(), AdminError> {
        if !confirmation.yes {
            let answer = self.client().get(&["accounts", username, "tokens"], &[])?;
            let tokens = self.client().parse::<Tokens>(&answer)?.tokens.len();
            let action = format!("remove {} of {username:?}", plural(tokens, "token"));
            if !self.output.is_confirmed(confirmation, &action, Undo::Impossible)? {
                return Ok(());
            }
        }
        let answer = self.client().delete(&["accounts", username, "tokens"], &[])?;
        self.output.response::<TokensRemoved>(&answer, |removed| {
            format!("removed {} of {username:?}", plural(removed.tokens, "token"))
        })
    }

    fn delete(&self, username: &str, erases: bool, confirmation: &Confirmation) -> Result<(), AdminError> {
        let and_messages = if erases { " and erase its messages" } else { "" };
        let action = format!("delete the account {username:?}{and_messages}");
        if confirmation.dry_run {
            // fails if there is no such account
            self.client().get(&["accounts", username], &[])?;
        }
        if !self.output.is_confirmed(confirmation, &action, Undo::Impossible)? {
            return Ok(());
        }
        let query: &[_] = if erases { &[("erase_messages", "true")] } else { &[] };
        self.client().delete(&["accounts", username], query)?;
        self.output.sentence(&format!("the account {username:?} is deleted"))
    }

    fn invite(&self, request: &InviteRequest) -> Result<(), AdminError> {
        let answer = self.client().post(&["invites"], request)?;
        self.output.response::<CreatedInvite>(&answer, |created| {
            let users = plural(created.invite.uses_left as usize, "user");
            format!("{}\n{users} can register with this code; its id is {}", created.code, created.invite.id)
        })
    }

    fn invites(&self) -> Result<(), AdminError> {
        let answer = self.client().get(&["invites"], &[])?;
        self.output.response::<Invites>(&answer, tables::invites)
    }

    fn remove_invite(&self, id: &str, confirmation: &Confirmation) -> Result<(), AdminError> {
        let action = format!("remove the invite {id:?}");
        if !self.output.is_confirmed(confirmation, &action, Undo::Impossible)? {
            return Ok(());
        }
        self.client().delete(&["invites", id], &[])?;
        self.output.sentence(&format!("the invite {id:?} is removed"))
    }
}

fn sentence(account: &Account, what: &str) -> String {
    format!("the account {:?} {what}", account.username)
}
