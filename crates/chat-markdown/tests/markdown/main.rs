//! Rendering through the crate's public face.

#[path = "../support/allowed.rs"]
mod allowed;
mod limits;
#[path = "../support/hostile.rs"]
mod hostile;
mod properties;
mod rendered;
mod vectors;
