//! The built exchange among telephones that others made. Each test has its own loopback network, its own
//! exchange with its own data folder, and its own telephones, so any of them can be run alone.

mod bans;
mod begun;
mod black_friday;
mod calls;
mod clinic;
mod demo;
mod digest;
mod durability;
mod example;
mod flow;
mod helpdesk;
mod last_resort;
mod line;
mod mailboxes;
mod malformed;
mod menus;
mod notices;
mod outside;
mod phones;
mod promises;
mod queues;
mod recordings;
mod recovery;
mod screen;
mod scripts;
mod sessions;
mod speech;
mod stop;
mod strategies;
mod transfers;
mod trunks;
mod turns;
mod versions;
mod world;
