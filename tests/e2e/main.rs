//! The built exchange among telephones that others made. Each test has its own loopback network, its own
//! exchange with its own data folder, and its own telephones, so any of them can be run alone.

mod phones;
