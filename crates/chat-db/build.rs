//! The migrations are embedded by a macro, which does not see that a file is new.

fn main() {
    println!("cargo::rerun-if-changed=../../migrations");
}
