//! [`ReuniteError`]: two halves that do not belong together.

use core::fmt;
use std::boxed::Box;

/// Two halves of different connections cannot be reunited; both are in it.
pub struct ReuniteError<H>(Box<H>);

impl<H> ReuniteError<H> {
    pub(crate) fn new(halves: H) -> Self {
        Self(Box::new(halves))
    }

    /// The reader and the writer.
    #[must_use]
    pub fn into_halves(self) -> H {
        *self.0
    }
}

impl<H> fmt::Debug for ReuniteError<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReuniteError").finish_non_exhaustive()
    }
}

impl<H> fmt::Display for ReuniteError<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the halves are of different connections")
    }
}

impl<H> core::error::Error for ReuniteError<H> {}
