#![doc = include_str!("../README.md")]

mod asset;
mod emoji;
mod headers;
mod negotiation;
mod pages;
mod site_name;

pub use headers::{Images, InvalidSource};
pub use pages::Pages;
