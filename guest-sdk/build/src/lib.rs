//! Builds guests
