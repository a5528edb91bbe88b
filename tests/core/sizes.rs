//! What an idle connection costs, and what may move between threads and be shared by them.

use core::fmt::Debug;
use core::mem::size_of;
use std::error::Error;

use tidewire::frame::{Header, OpCode};
use tidewire::{
    CloseBody, CloseCode, CloseFrame, Config, Connection, Ending, Event, HandshakeError, Input,
    InvalidCloseCode, InvalidOrigin, InvalidRequest, InvalidResponse, Message, Outgoing, Output, Party,
    Payload, Prepared, ProtocolError, Ready, Receiver, Reply, SendError, Sender, State, Text, TimedOut,
    Timestamp, Traffic, TransportAction,
};

#[test]
fn an_idle_connection_is_small() {
    let compression = if cfg!(feature = "deflate") { 104 } else { 0 };
    assert!(size_of::<Connection>() <= 352 + compression, "{}", size_of::<Connection>());
    assert!(size_of::<Input>() + size_of::<Output>() <= 184);
    assert!(size_of::<Event<'_>>() <= 32);
    assert!(size_of::<Message>() <= 32);
    assert!(size_of::<CloseBody>() <= 24);
    assert!(size_of::<Option<Ready>>() <= 8);
    assert!(size_of::<ProtocolError>() <= 24);
    assert!(size_of::<HandshakeError>() <= 24);
    assert!(size_of::<InvalidRequest>() <= 24 && size_of::<InvalidResponse>() <= 24);
    assert!(size_of::<SendError>() == 1 && size_of::<TimedOut>() == 1);
}

const fn is_shared<T: Send + Sync + Unpin + Debug>() {}
const fn is_value<T: Send + Sync + Unpin + Debug + Copy + Eq>() {}
const fn is_error<T: Error + Send + Sync + Unpin + Clone + Eq + 'static>() {}

// Checked by the compiler: nothing here runs.
const _: () = {
    is_shared::<Connection>();
    is_shared::<Receiver>();
    is_shared::<Sender>();
    is_shared::<Input>();
    is_shared::<Output>();
    is_shared::<Event<'_>>();
    is_shared::<Text<'_>>();
    is_shared::<Payload<'_>>();
    is_shared::<Reply<'_>>();
    is_shared::<Outgoing<'_>>();
    is_shared::<Message>();
    is_shared::<Prepared>();
    is_shared::<CloseFrame>();
    is_shared::<CloseBody>();
    is_shared::<Ending>();
    is_value::<CloseCode>();
    is_value::<Config>();
    is_value::<Header>();
    is_value::<OpCode>();
    is_value::<Party>();
    is_value::<Ready>();
    is_value::<State>();
    is_value::<Timestamp>();
    is_value::<Traffic>();
    is_value::<TransportAction>();
    is_value::<ProtocolError>();
    is_value::<SendError>();
    is_value::<TimedOut>();
    is_error::<InvalidCloseCode>();
    is_error::<ProtocolError>();
    is_error::<SendError>();
    is_error::<TimedOut>();
    is_error::<HandshakeError>();
    is_error::<InvalidOrigin>();
    is_error::<InvalidRequest>();
    is_error::<InvalidResponse>();
};
