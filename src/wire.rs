//! The wire: frames, masks, text and close codes, without a connection.

pub(crate) mod close;
pub mod frame;
pub mod mask;
pub(crate) mod utf8;
