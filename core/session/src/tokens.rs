//! The peer's registered tokens (section "AUTHORIZATION TOKEN Parameter"): aliases that stand for tokens, bounded in
//! bytes as MAX_AUTH_TOKEN_CACHE_SIZE counts them. A message's tokens leave here by value; what they allow is the
//! owner's to say.

use std::collections::BTreeMap;

use bytes::Bytes;
use cc_wire::{codes, Params, Token};

use crate::session::Fault;

/// What an entry counts beside its value (section "MAX_AUTH_TOKEN_CACHE_SIZE").
const ENTRY: u64 = 16;

/// Tokens by alias.
#[derive(Debug)]
pub(crate) struct Tokens {
    most: u64,
    bytes: u64,
    entries: BTreeMap<u64, (u64, Bytes)>,
}

impl Tokens {
    /// Of at most so many bytes.
    pub fn new(most: u64) -> Self {
        Self { most, bytes: 0, entries: BTreeMap::new() }
    }

    /// What the peer is told that it may register, in bytes.
    pub fn most(&self) -> u64 {
        self.most
    }

    /// What is registered, in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Registers a token.
    fn register(&mut self, alias: u64, kind: u64, value: &Bytes) -> Result<(), Fault> {
        if self.entries.contains_key(&alias) {
            let why = format!("token alias {alias} is registered already");
            return Err(Fault::new(codes::session::DUPLICATE_AUTH_TOKEN_ALIAS, why));
        }
        let size = ENTRY + value.len() as u64;
        if self.bytes.saturating_add(size) > self.most {
            let why = format!("tokens of more than {} bytes are registered", self.most);
            return Err(Fault::new(codes::session::AUTH_TOKEN_CACHE_OVERFLOW, why));
        }
        self.bytes += size;
        // A copy: the value may be a part of a much larger buffer.
        self.entries.insert(alias, (kind, Bytes::copy_from_slice(value)));
        Ok(())
    }

    fn known(&self, alias: u64) -> Result<(u64, Bytes), Fault> {
        let unknown = || {
            let why = format!("token alias {alias} is not registered");
            Fault::new(codes::session::UNKNOWN_AUTH_TOKEN_ALIAS, why)
        };
        self.entries.get(&alias).cloned().ok_or_else(unknown)
    }

    fn delete(&mut self, alias: u64) -> Result<(), Fault> {
        let (_, value) = self.known(alias)?;
        self.entries.remove(&alias);
        self.bytes -= ENTRY + value.len() as u64;
        Ok(())
    }

    /// Carries out what a message's tokens say of aliases, and leaves each token in it by value.
    pub fn resolve(&mut self, params: &mut Params) -> Result<(), Fault> {
        let mut tokens: Vec<Token> = Vec::with_capacity(params.tokens.len());
        for token in params.tokens.drain(..) {
            let (kind, value) = match token {
                Token::Delete { alias } => {
                    self.delete(alias)?;
                    continue;
                }
                Token::Register { alias, kind, value } => {
                    self.register(alias, kind, &value)?;
                    (kind, value)
                }
                Token::UseAlias { alias } => self.known(alias)?,
                Token::UseValue { kind, value } => (kind, value),
            };
            let token = Token::UseValue { kind, value };
            if tokens.contains(&token) {
                return Err(Fault::violation("the same token twice in a message"));
            }
            tokens.push(token);
        }
        params.tokens = tokens;
        Ok(())
    }

    /// The same for the tokens of SETUP: its sender can't have known the bound, so what goes over it is used by value,
    /// and its alias does not come to be.
    pub fn resolve_setup(&mut self, tokens: &mut [Token]) -> Result<(), Fault> {
        for token in tokens {
            match token {
                Token::Register { alias, kind, value } => {
                    match self.register(*alias, *kind, value) {
                        Err(fault) if fault.code != codes::session::AUTH_TOKEN_CACHE_OVERFLOW => return Err(fault),
                        _ => {}
                    }
                    *token = Token::UseValue { kind: *kind, value: std::mem::take(value) };
                }
                Token::UseValue { .. } => {}
                Token::Delete { .. } | Token::UseAlias { .. } => {
                    return Err(Fault::violation("a token alias used in SETUP"));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn register(alias: u64, len: usize) -> Token {
        Token::Register { alias, kind: 0, value: Bytes::from(vec![alias as u8; len]) }
    }

    fn said(tokens: &mut Tokens, said: &[Token]) -> Result<Vec<Token>, u64> {
        let mut params = Params { tokens: said.to_vec(), ..Params::default() };
        tokens.resolve(&mut params).map(|()| params.tokens).map_err(|fault| fault.code)
    }

    #[test]
    fn the_bound_counts_what_is_registered_and_not_deleted() {
        let mut tokens = Tokens::new(100);
        assert!(said(&mut tokens, &[register(1, 34)]).is_ok());
        assert!(said(&mut tokens, &[register(2, 34)]).is_ok());
        assert_eq!(tokens.bytes(), 100);
        assert_eq!(said(&mut tokens, &[register(3, 0)]), Err(codes::session::AUTH_TOKEN_CACHE_OVERFLOW));
        assert_eq!(said(&mut tokens, &[Token::Delete { alias: 1 }]), Ok(vec![]));
        assert_eq!(tokens.bytes(), 50);
        // An alias may come again once it was deleted, in the same message too.
        let again = said(&mut tokens, &[Token::Delete { alias: 2 }, register(2, 84)]).unwrap();
        assert!(matches!(&again[..], [Token::UseValue { value, .. }] if value.len() == 84));
    }

    #[test]
    fn an_alias_stands_for_its_token() {
        let mut tokens = Tokens::new(100);
        let value = said(&mut tokens, &[register(7, 5)]).unwrap();
        assert_eq!(said(&mut tokens, &[Token::UseAlias { alias: 7 }]), Ok(value));
        assert_eq!(said(&mut tokens, &[register(7, 6)]), Err(codes::session::DUPLICATE_AUTH_TOKEN_ALIAS));
        let unknown = Err(codes::session::UNKNOWN_AUTH_TOKEN_ALIAS);
        assert_eq!(said(&mut tokens, &[Token::UseAlias { alias: 8 }]), unknown);
        assert_eq!(said(&mut tokens, &[Token::Delete { alias: 8 }]), unknown);
        // One token under two names is one token twice.
        let twice = [Token::UseAlias { alias: 7 }, Token::UseValue { kind: 0, value: Bytes::from(vec![7; 5]) }];
        assert_eq!(said(&mut tokens, &twice), Err(codes::session::PROTOCOL_VIOLATION));
    }

    #[test]
    fn setup_registers_as_far_as_there_is_room() {
        let mut tokens = Tokens::new(30);
        let mut setup = [register(1, 14), register(2, 14)];
        tokens.resolve_setup(&mut setup).unwrap();
        assert!(setup.iter().all(|token| matches!(token, Token::UseValue { value, .. } if value.len() == 14)));
        assert!(said(&mut tokens, &[Token::UseAlias { alias: 1 }]).is_ok());
        let unknown = Err(codes::session::UNKNOWN_AUTH_TOKEN_ALIAS);
        assert_eq!(said(&mut tokens, &[Token::UseAlias { alias: 2 }]), unknown);
    }
}
