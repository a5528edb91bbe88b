//! What an idle connection costs, and what must be `Send`.

use std::mem::size_of;

use tidewire::{Connection, Event, Input, Message, Output, ProtocolError, Ready, SendError, TimedOut};

#[test]
fn an_idle_connection_is_small() {
    assert!(size_of::<Connection>() <= 320, "{}", size_of::<Connection>());
    assert!(size_of::<Input>() + size_of::<Output>() <= 160);
    assert!(size_of::<Event<'_>>() <= 32);
    assert!(size_of::<Message>() <= 32);
    assert!(size_of::<Option<Ready>>() <= 2);
    assert!(size_of::<ProtocolError>() <= 4);
    assert!(size_of::<SendError>() == 1 && size_of::<TimedOut>() == 1);
}
