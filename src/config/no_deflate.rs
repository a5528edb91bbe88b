//! In place of `deflate.rs` where the feature is off: there is neither a wish nor an agreement.

use core::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Deflate {}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Agreement {}

impl fmt::Display for Agreement {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}
