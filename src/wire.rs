//! The wire: frames, masks, text and close codes, without a connection.

pub(crate) mod close;
pub(crate) mod copy;
pub mod frame;
pub mod mask;
pub(crate) mod utf8;
