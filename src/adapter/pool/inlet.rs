//! [`Inlet`]: the input of a connection, as long as there is something in it.

use std::boxed::Box;

use crate::Input;

/// The input of a connection, which has none while nothing is in it: so that what it touches for a message is little.
#[derive(Debug)]
pub(crate) struct Inlet(pub(super) Option<Box<Input>>);

impl Inlet {
    pub(crate) const fn new() -> Self {
        Self(None)
    }

    /// The input, if there is one.
    #[inline]
    pub(crate) fn get(&mut self) -> Option<&mut Input> {
        self.0.as_deref_mut()
    }

    /// The input, or one without storage.
    #[inline]
    pub(crate) fn input(&mut self) -> &mut Input {
        self.0.get_or_insert_default()
    }

    /// True when nothing is there to be decoded, not even the end.
    #[inline]
    pub(crate) fn is_dry(&self) -> bool {
        self.0.as_ref().is_none_or(|input| !input.has_unread() && !input.is_eof())
    }

    pub(crate) fn is_eof(&self) -> bool {
        self.0.as_ref().is_some_and(|input| input.is_eof())
    }

    pub(super) fn storage_len(&self) -> usize {
        self.0.as_ref().map_or(0, |input| input.storage_len())
    }
}

impl From<Input> for Inlet {
    fn from(input: Input) -> Self {
        Self(Some(Box::new(input)))
    }
}

impl From<Inlet> for Input {
    fn from(inlet: Inlet) -> Self {
        inlet.0.map(|input| *input).unwrap_or_default()
    }
}
