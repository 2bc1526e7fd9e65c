//! The ordered key-value store behind everything that must outlive the process.
