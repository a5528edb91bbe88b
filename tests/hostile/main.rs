//! How WebSocket libraries have been broken, as hostile inputs: one theme per module.
//!
//! `tests/matrix/threats.txt` lists the flaws and tells which test shows each of them; what other tests show is not repeated here.

mod broken_heads;
mod busy;
mod close_frames;
mod deadlines_hold;
mod delays;
mod injection;
mod lengths;
mod origins;
mod reads;
mod smuggling;

#[global_allocator]
static COUNTING: support::counting::Counting = support::counting::Counting;
