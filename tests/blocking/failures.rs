//! The nth call fails: a documented error, what had arrived is delivered, and nothing is written twice or after a gap; or nobody notices,
//! where the call fails as signals and short timeouts make it.

use std::io::ErrorKind;

use tidewire::blocking::WebSocket;
use tidewire::{Config, Error, Input, Message};

use support::blocking_scenarios::play_all;
use support::blocking_stream::{Fault, Scripted};
use support::wire::{self, Role};

#[test]
fn a_fault_at_the_nth_call_is_an_error_and_loses_nothing_that_had_arrived() {
    let faults = [
        (Fault::Error(ErrorKind::ConnectionReset), ErrorKind::ConnectionReset),
        (Fault::Error(ErrorKind::BrokenPipe), ErrorKind::BrokenPipe),
        (Fault::Zero, ErrorKind::WriteZero),
    ];
    for (fault, kind) in faults {
        play_all(fault, |scenario, outcome, whole| {
            outcome.assert_failed(scenario, whole, &[kind], fault == Fault::Zero);
        });
    }
}

#[test]
fn an_interruption_of_the_nth_call_makes_no_difference() {
    for kind in [ErrorKind::Interrupted, ErrorKind::WouldBlock, ErrorKind::TimedOut] {
        play_all(Fault::Once(kind), |scenario, outcome, whole| outcome.assert_same(scenario, whole));
    }
}

#[test]
fn what_was_received_before_a_reset_is_delivered_first() {
    for role in Role::BOTH {
        let incoming = [wire::text(role, "one"), wire::text(role, "two")].concat();
        // The stream takes nothing any more: what the peer has said counts for more.
        let stream = Scripted::new(incoming).with_fault(1, Fault::Error(ErrorKind::BrokenPipe));
        let mut socket = WebSocket::from_parts(stream, role.connection(Config::new()), Input::new());
        assert!(
            matches!(socket.send("unheard"), Err(Error::Io(error)) if error.kind() == ErrorKind::BrokenPipe)
        );
        assert!(matches!(socket.recv(), Ok(Some(Message::Text(text))) if text == "one"));
        assert!(matches!(socket.recv(), Ok(Some(Message::Text(text))) if text == "two"));
        assert!(matches!(socket.recv(), Err(Error::Io(error)) if error.kind() == ErrorKind::BrokenPipe));
    }
}
