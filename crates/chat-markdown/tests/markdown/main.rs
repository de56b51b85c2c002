//! Rendering through the public API.

#[path = "../support/allowed.rs"]
mod allowed;
#[path = "../support/hostile.rs"]
mod hostile;
mod limits;
mod properties;
mod rendered;
mod vectors;
