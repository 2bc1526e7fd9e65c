//! The narrow trait that an embedded database stands behind, and the words it is spoken to in.
//!
//! Keys are bytes in their natural order. An implementation is handed changes that must become
//! visible and durable together; everything else (grouping, checksums, conditions, the tally of what
//! was acknowledged) is done once, above it, in [`crate::Store`].

use crate::StoreError;

/// Called with each key and value of a scan; answers whether to go on.
pub type Each<'a> = dyn FnMut(&[u8], &[u8]) -> bool + 'a;

/// An ordered map of bytes to bytes in a folder of its own.
pub trait Kv: Send + Sync {
    /// The value under a key.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Shows the records in `from..to` in the order of their keys, or backwards, until `each` answers
    /// false. `to: None` is the end of the map.
    fn scan(
        &self,
        from: &[u8],
        to: Option<&[u8]>,
        backward: bool,
        each: &mut Each<'_>,
    ) -> Result<(), StoreError>;

    /// Makes all changes or none. On `Ok` they outlive the process and a power cut. After an error
    /// it is not known which of the two happened, until the map is opened again.
    fn commit(&self, changes: &[Change]) -> Result<(), StoreError>;
}

/// One key's new value, or its removal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The key.
    pub key: Vec<u8>,
    /// None removes.
    pub value: Option<Vec<u8>>,
}

/// Changes that happen together or not at all, if what they rest upon still holds.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    pub(crate) required: Vec<Change>,
    pub(crate) changes: Vec<Change>,
}

impl Batch {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes `value` under `key`. A later change of the same key in the batch wins.
    #[must_use]
    pub fn put(mut self, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Self {
        self.changes.push(Change { key: key.into(), value: Some(value.into()) });
        self
    }

    /// Removes `key`; done also when there was nothing.
    #[must_use]
    pub fn delete(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.changes.push(Change { key: key.into(), value: None });
        self
    }

    /// The batch is refused with [`StoreError::Conflict`] unless `key` holds `value` (None: nothing) at
    /// the moment it is applied. This is compare-and-set.
    #[must_use]
    pub fn require(mut self, key: impl Into<Vec<u8>>, value: Option<Vec<u8>>) -> Self {
        self.required.push(Change { key: key.into(), value });
        self
    }

    /// Keys and values together, in bytes.
    pub fn bytes(&self) -> usize {
        self.changes.iter().map(|c| c.key.len() + c.value.as_ref().map_or(0, Vec::len)).sum()
    }
}

/// Which records to read, in which order, and how many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    pub(crate) from: Vec<u8>,
    pub(crate) to: Option<Vec<u8>>,
    pub(crate) backward: bool,
    pub(crate) limit: usize,
}

impl Scan {
    /// Keys from `from` up to and without `to`.
    pub fn range(from: impl Into<Vec<u8>>, to: impl Into<Vec<u8>>) -> Self {
        Self { from: from.into(), to: Some(to.into()), backward: false, limit: crate::MAX_PAGE }
    }

    /// Keys that begin with `prefix`.
    pub fn prefix(prefix: impl Into<Vec<u8>>) -> Self {
        let from = prefix.into();
        let to = after_prefix(&from);
        Self { from, to, backward: false, limit: crate::MAX_PAGE }
    }

    /// The last key first.
    #[must_use]
    pub fn backward(mut self) -> Self {
        self.backward = true;
        self
    }

    /// At most so many records; never more than [`crate::MAX_PAGE`].
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit.min(crate::MAX_PAGE);
        self
    }

    /// Goes on behind `last`, the last key of the page before, in the scan's direction. Call it after
    /// [`Scan::backward`].
    #[must_use]
    pub fn behind(mut self, last: &[u8]) -> Self {
        if self.backward {
            self.to = Some(last.to_vec());
        } else {
            self.from = [last, &[0]].concat();
        }
        self
    }
}

/// The first key that is above every key with this prefix; none if there is no such key.
fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != 0xff)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_before_the_next_key_that_does_not_begin_with_it() {
        assert_eq!(after_prefix(b"ab"), Some(b"ac".to_vec()));
        assert_eq!(after_prefix(b"a\xff\xff"), Some(b"b".to_vec()));
        assert_eq!(after_prefix(b"\xff"), None);
        assert_eq!(after_prefix(b""), None);
    }
}
