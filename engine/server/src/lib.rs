//! Everything impure of the exchange: configuration, HTTP API, command line, sockets, shards; the
//! binary `strowger` is a few lines over it. What a call is stands in `exchange`, what SIP is in
//! `protocol`, what a script may do in `script`.

pub mod archive;
mod bans;
pub mod calendar;
pub mod cli;
pub mod config;
pub mod crm;
pub mod events;
pub mod facts;
pub mod floor;
pub mod flow;
pub mod history;
pub mod http;
pub mod mailboxes;
pub mod memory;
pub mod metrics;
pub mod misfits;
pub mod node;
pub mod outside;
pub mod post;
pub mod prompts;
pub mod recordings;
pub mod records;
mod recovery;
mod retention;
pub mod scripts;
pub mod shard;
pub mod shards;
pub mod shipped;
pub mod signalling;
pub mod simulation;
pub mod sounds;
pub mod speech;
pub mod stir;
pub mod tasks;
mod throttle;
pub mod timeline;
pub mod traces;
mod words;
