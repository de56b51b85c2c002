#![doc = include_str!("../README.md")]

mod asset;
mod emoji;
mod headers;
mod negotiation;
mod pages;

pub use headers::{Images, InvalidSource};
pub use pages::Pages;
