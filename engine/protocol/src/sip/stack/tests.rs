//! Two stacks and a link between them, in virtual time.
