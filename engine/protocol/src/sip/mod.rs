//! SIP (RFC 3261): reading, writing and the machines above.
