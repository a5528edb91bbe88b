//! The halves take turns: one write, and then whoever waits for the lock.

use std::task::{Context, Poll, Waker};

use tidewire::Config;

use support::tokio_stream::Script;
use support::tokio_wire::Role;

#[test]
fn a_long_output_is_written_one_write_at_a_time() {
    for role in Role::BOTH {
        // Without deadlines, for which there is no runtime here.
        let config = Config::new().without_keepalive().with_write_timeout(None);
        let (socket, peer) = role.socket(config, Script::SMOOTH.with_steps(usize::MAX, 100));
        let (mut reader, mut writer) = socket.split();
        let cx = &mut Context::from_waker(Waker::noop());
        writer.queue(vec![7; 5000]).expect("room");
        // A writer tries twice before it waits, and a reader once.
        let mut written = 0;
        let mut polls = 0;
        while writer.poll_flush(cx).is_pending() {
            polls += 1;
            let now = peer.log().len();
            assert!(now > written && now - written <= 200, "{role:?}: {} bytes", now - written);
            written = now;
        }
        assert!(polls > 20 && writer.queued_len() == 0);
        writer.queue(vec![7; 5000]).expect("room");
        let before = peer.log().len();
        assert!(matches!(reader.poll_recv(cx), Poll::Pending));
        assert_eq!(peer.log().len() - before, 100, "{role:?}");
    }
}
