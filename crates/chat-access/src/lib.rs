#![doc = include_str!("../README.md")]

mod check;
mod policy;

pub use check::{Action, Actor, Denied, check};
pub use policy::RoomPolicy;
