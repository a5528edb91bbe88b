//! In place of `events.rs` where the feature is off: nobody hears of anything.

use crate::connection::state::Ending;
use crate::{Error, Receiver, TimedOut};

pub(crate) fn not_opened(_: bool, _: &Error) {}

pub(crate) fn refused(_: bool, _: u16, _: &str) {}

pub(crate) fn timed_out(_: bool, _: TimedOut) {}

#[derive(Debug, Default)]
pub(crate) struct Life(());

impl Life {
    pub(crate) fn begin(&mut self, _: &Receiver, _: Option<&str>) {}

    pub(crate) fn is_open(&self) -> bool {
        false
    }

    pub(crate) fn end(&mut self, _: Option<&Ending>, _: Option<&Error>, _: bool) {}

    pub(crate) fn leave(&mut self) {}
}
