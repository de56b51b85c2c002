//! Tokens in memory.

use chat_protocol::{Timestamp, UserId};

use super::Tables;
use crate::{Account, AddTokenError, AddedToken, MAX_TOKENS, NewToken, Token, TokenHash, TokenId, TokenKind};

impl Tables {
    pub(super) fn add_token(&mut self, new: NewToken) -> Result<AddedToken, AddTokenError> {
        let account = self.accounts.get(&new.account).ok_or(AddTokenError::NoAccount)?;
        if account.disabled_at.is_some() {
            return Err(AddTokenError::Disabled);
        }
        if new.password.is_some() && new.password != account.password_hash {
            return Err(AddTokenError::PasswordChanged);
        }
        let of_kind =
            |(_, token): &&(TokenHash, Token)| token.account == new.account && token.kind == new.kind;
        let expired = self.tokens.values().filter(of_kind).map(|(_, token)| token);
        let expired = expired.filter(|token| token.is_expired(new.created_at));
        for id in expired.map(|token| token.id.clone()).collect::<Vec<_>>() {
            self.remove_token(&id);
        }
        let mut replaced = None;
        let tokens = self.tokens.values().filter(of_kind).map(|(_, token)| token);
        if tokens.clone().count() >= MAX_TOKENS {
            if new.kind != TokenKind::Session {
                return Err(AddTokenError::LimitReached);
            }
            let oldest = tokens.min_by_key(|token| (token.last_used_at, token.created_at, &token.id));
            replaced = oldest.map(|token| token.id.clone());
        }
        if let Some(id) = &replaced {
            self.remove_token(id);
        }
        let hash = new.hash;
        let token = new.into_token();
        self.by_hash.insert(hash, token.id.clone());
        self.tokens.insert(token.id.clone(), (hash, token.clone()));
        Ok(AddedToken::new(token, replaced))
    }

    pub(super) fn find_token(&self, hash: &TokenHash, now: Timestamp) -> Option<(Token, Account)> {
        let (_, token) = self.tokens.get(self.by_hash.get(hash)?)?;
        let account = self.accounts.get(&token.account)?;
        let is_valid = !token.is_expired(now) && account.disabled_at.is_none();
        is_valid.then(|| (token.clone(), account.clone()))
    }

    pub(super) fn tokens_of(&self, account: &UserId, now: Timestamp) -> Vec<Token> {
        let is_listed = |token: &&Token| token.account == *account && !token.is_expired(now);
        let tokens = self.tokens.values().map(|(_, token)| token);
        let mut tokens: Vec<_> = tokens.filter(is_listed).cloned().collect();
        let key = |token: &Token| (token.last_used_at, token.created_at, token.id.clone());
        tokens.sort_unstable_by_key(|token| std::cmp::Reverse(key(token)));
        tokens
    }

    pub(super) fn remove_token(&mut self, id: &TokenId) {
        if let Some((hash, _)) = self.tokens.remove(id) {
            self.by_hash.remove(&hash);
        }
    }

    pub(super) fn remove_tokens(
        &mut self,
        account: &UserId,
        keep: Option<&TokenId>,
        kind: Option<TokenKind>,
    ) -> Vec<TokenId> {
        let is_meant = |token: &&Token| {
            token.account == *account && Some(&token.id) != keep && kind.is_none_or(|kind| kind == token.kind)
        };
        let tokens = self.tokens.values().map(|(_, token)| token);
        let ids: Vec<_> = tokens.filter(is_meant).map(|token| token.id.clone()).collect();
        ids.iter().for_each(|id| self.remove_token(id));
        ids
    }

    /// Removes tokens that have expired, and returns their number.
    pub(super) fn remove_expired_tokens(&mut self, now: Timestamp, limit: usize) -> usize {
        let expired = self.tokens.values().filter(|(_, token)| token.is_expired(now));
        let expired: Vec<_> = expired.map(|(_, token)| token.id.clone()).take(limit).collect();
        expired.iter().for_each(|id| self.remove_token(id));
        expired.len()
    }
}
