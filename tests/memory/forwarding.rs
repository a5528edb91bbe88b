//! Two connections that are forwarded to each other by `StreamExt::forward`, with peers that send for ever and never read.

use std::pin::pin;
use std::time::Duration;

use futures_util::StreamExt;
use tidewire::tokio::{WebSocket, pair};
use tidewire::{Config, Error};
use tokio::io::DuplexStream;
use tokio::time::timeout;

use support::counting::Meter;
use support::tokio_stream::block_on;

const LEN: usize = 1000;
const COUNT: usize = 100_000;

/// Each of the four directions holds 64 KiB, and each of the four outputs the high-water mark and one message. Memory that grows is there twice
/// for a moment.
const MAX_PEAK: usize = 2 << 20;

/// Sends so much that it would be seen, unless nobody takes it; returns how much was taken.
async fn flood(socket: &mut WebSocket<DuplexStream>) -> usize {
    for n in 0..COUNT {
        if timeout(Duration::from_secs(60), socket.send([7; LEN])).await.is_err() {
            return n * LEN;
        }
    }
    COUNT * LEN
}

#[test]
fn peers_that_do_not_read_bound_what_is_forwarded() {
    let config = Config::new().without_keepalive().with_write_timeout(None);
    block_on(async {
        for splits in [false, true] {
            let meter = Meter::new();
            let ((near, left), (right, far)) = (pair(config), pair(config));
            let taken = if splits {
                let ((left_reader, left_writer), (right_reader, right_writer)) =
                    (left.split(), right.split());
                let there = left_reader.forward(right_writer);
                until_stuck(near, far, there, right_reader.forward(left_writer)).await
            } else {
                let (left_sink, left_stream) = StreamExt::split(left);
                let (right_sink, right_stream) = StreamExt::split(right);
                let there = left_stream.forward(right_sink);
                until_stuck(near, far, there, right_stream.forward(left_sink)).await
            };
            meter.report("forwarded to peers that do not read");
            assert!(meter.peak() < MAX_PEAK, "{} bytes", meter.peak());
            for taken in taken {
                // It goes as far as there is room, and no further.
                assert!((128 << 10..MAX_PEAK).contains(&taken), "{taken} bytes");
            }
        }
    });
}

/// What either peer was able to send.
async fn until_stuck(
    mut near: WebSocket<DuplexStream>,
    mut far: WebSocket<DuplexStream>,
    there: impl Future<Output = Result<(), Error>>,
    back: impl Future<Output = Result<(), Error>>,
) -> [usize; 2] {
    let mut forwarding = pin!(async { tokio::join!(there, back) });
    let mut flooding = pin!(async { tokio::join!(flood(&mut near), flood(&mut far)) });
    tokio::select! {
        (near, far) = &mut flooding => [near, far],
        ended = &mut forwarding => panic!("{ended:?}"),
    }
}
