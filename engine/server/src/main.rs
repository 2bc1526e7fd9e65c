//! The binary `strowger`: see [`server`].

fn main() {}
