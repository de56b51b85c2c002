//! Verification of JWTs: with keys made here, and an issuer on this machine.
#![allow(clippy::unwrap_used)]

mod accepted;
mod files;
mod https;
mod issuer;
mod refused;
mod secrets;
mod support;
