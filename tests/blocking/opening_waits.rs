//! No write of an opening handshake lasts longer than a second: a kernel may hold one until its timeout.

use std::time::Duration;

use tidewire::blocking::{accept, client_with};
use tidewire::{ClientRequest, Config, Error, TimedOut};

use crate::http::{accepting, request};
use support::blocking_stream::{Call, Scripted};

const SECOND: Duration = Duration::from_secs(1);

#[track_caller]
fn assert_waits(stream: &Scripted, longest: Duration) {
    let timeouts: Vec<_> = stream.state().calls.iter().filter_map(Call::write_timeout).collect();
    assert!(!timeouts.is_empty() && timeouts.iter().all(|timeout| *timeout <= longest), "{timeouts:?}");
}

#[test]
fn a_write_lasts_a_second_at_most_and_no_longer_than_the_open_timeout() -> Result<(), Error> {
    let request_to_server = ClientRequest::new("ws://example.org/")?;
    for limit in [None, Some(Duration::from_secs(3600))] {
        let stream = accepting("", b"");
        client_with(stream.clone(), &request_to_server, Config::new().with_open_timeout(limit))?;
        assert_waits(&stream, SECOND);
    }
    let stream = Scripted::new(request("")).without_end();
    accept(stream.clone())?;
    assert_waits(&stream, SECOND);
    let short = Duration::from_millis(20);
    let stream = accepting("", b"").with_room(0);
    let result = client_with(stream.clone(), &request_to_server, Config::new().with_open_timeout(short));
    assert!(matches!(result, Err(Error::TimedOut(TimedOut::Open))), "{result:?}");
    assert_waits(&stream, short);
    Ok(())
}
