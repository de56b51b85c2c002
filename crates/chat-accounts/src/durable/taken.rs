//! Which names may be taken, without a query.
//!
//! Each guest's name is checked, and nearly all of them are free. So the hashes of the keys of all
//! taken names are in memory, 8 bytes for each: a name without a known hash is free. One process
//! uses the database, so nobody else takes names.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use chat_protocol::Username;
use diesel::prelude::*;
use parking_lot::RwLock;

use super::DbConnection;
use super::schema::account_names;
use crate::look_alike_keys;

/// The hashes of the keys of names that are or were taken.
#[derive(Debug, Default)]
pub(super) struct Taken {
    hashes: RwLock<HashSet<u64>>,
    hasher: RandomState,
}

impl Taken {
    /// Adds the keys of all names in the database.
    pub(super) fn load(&self, connection: &mut DbConnection) -> QueryResult<()> {
        let keys: Vec<String> = account_names::table.select(account_names::skeleton).load(connection)?;
        self.hashes.write().extend(keys.iter().map(|key| self.hasher.hash_one(key)));
        Ok(())
    }

    /// Has to be called before a name is taken: a check that begins later has to find it. A name
    /// that is not taken after all, or is free again, only costs a query.
    pub(super) fn add(&self, name: &Username) {
        let keys = look_alike_keys(name);
        self.hashes.write().extend(keys.iter().map(|key| self.hasher.hash_one(key)));
    }

    /// Whether a name, or one that looks like it, may be taken. If not, it is free.
    pub(super) fn may_have(&self, name: &Username) -> bool {
        let hashes = self.hashes.read();
        !hashes.is_empty()
            && look_alike_keys(name).iter().any(|key| hashes.contains(&self.hasher.hash_one(key)))
    }
}
