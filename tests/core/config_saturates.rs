//! A setter takes any value: it saturates, and never panics.

use core::time::Duration;

use tidewire::{Config, Timestamp};

use support::chunked::{Scenario, Seen};
use support::clock::secs;
use support::wire::{self, Role};

const LONGEST: Duration = Duration::from_millis(u32::MAX as u64);

#[test]
fn the_defaults_are_as_documented() {
    let config = Config::new();
    assert_eq!(config, Config::default());
    assert_eq!((config.max_head_len(), config.max_headers()), (16 << 10, 100));
    assert_eq!((config.max_frame_len(), config.max_message_len()), (None, 64 << 20));
    assert_eq!((config.high_water_len(), config.max_output_len()), (64 << 10, 1 << 20));
    assert_eq!((config.open_timeout(), config.close_timeout()), (Some(secs(10)), Some(secs(10))));
    assert_eq!((config.write_timeout(), config.min_progress()), (Some(secs(30)), 1024));
    assert_eq!(config.keepalive(), Some((secs(20), secs(20))));
}

#[test]
fn every_setter_is_read_back() {
    let config = Config::new()
        .with_max_head_len(1)
        .with_max_headers(2)
        .with_max_frame_len(3)
        .with_max_message_len(4)
        .with_high_water_len(5)
        .with_open_timeout(secs(6))
        .with_close_timeout(secs(7))
        .with_write_timeout(secs(8))
        .with_keepalive(secs(9), secs(10))
        .with_min_progress(11);
    assert_eq!((config.max_head_len(), config.max_headers()), (1, 2));
    assert_eq!((config.max_frame_len(), config.max_message_len(), config.high_water_len()), (Some(3), 4, 5));
    assert_eq!(config.with_max_output_len(12).max_output_len(), 12);
    assert_eq!(config.with_max_output_len(4).max_output_len(), 5, "not below the high-water mark");
    assert_eq!((config.open_timeout(), config.close_timeout()), (Some(secs(6)), Some(secs(7))));
    assert_eq!((config.write_timeout(), config.keepalive()), (Some(secs(8)), Some((secs(9), secs(10)))));
    assert_eq!(config.min_progress(), 11);
}

#[test]
fn durations_are_rounded_up_to_milliseconds_and_saturate() {
    let table = [
        (Duration::ZERO, None),
        (Duration::from_nanos(1), Some(Duration::from_millis(1))),
        (Duration::from_micros(1001), Some(Duration::from_millis(2))),
        (Duration::from_millis(5), Some(Duration::from_millis(5))),
        (LONGEST, Some(LONGEST)),
        (LONGEST + Duration::from_nanos(1), Some(LONGEST)),
        (Duration::MAX, Some(LONGEST)),
    ];
    for (given, kept) in table {
        let config =
            Config::new().with_open_timeout(given).with_close_timeout(given).with_write_timeout(given);
        assert_eq!(
            (config.open_timeout(), config.close_timeout(), config.write_timeout()),
            (kept, kept, kept)
        );
        assert_eq!(
            Config::new().with_keepalive(given, secs(1)).keepalive(),
            kept.map(|kept| (kept, secs(1)))
        );
    }
    let off = Config::new().with_open_timeout(None).with_close_timeout(None).with_write_timeout(None);
    assert_eq!((off.open_timeout(), off.close_timeout(), off.write_timeout()), (None, None, None));
    assert_eq!(Config::new().without_keepalive().keepalive(), None);
}

#[test]
fn lengths_saturate() {
    let config = Config::new()
        .with_max_headers(usize::MAX)
        .with_max_message_len(usize::MAX)
        .with_high_water_len(usize::MAX)
        .with_min_progress(usize::MAX);
    assert_eq!((config.max_headers(), config.max_output_len()), (1024, usize::MAX));
    assert_eq!(config.min_progress(), u32::MAX as usize);
    assert_eq!(config.with_min_progress(0).min_progress(), 1);
}

#[test]
fn timestamps_saturate() {
    let end = Timestamp::from_micros(u64::MAX);
    for (micros, duration) in
        [(0, Duration::ZERO), (1, Duration::from_nanos(1999)), (u64::MAX, Duration::MAX)]
    {
        let at = Timestamp::from(duration);
        assert_eq!((at, at.as_micros()), (Timestamp::from_micros(micros), micros));
        assert_eq!(Timestamp::from_micros(5) + duration, Timestamp::from_micros(micros.saturating_add(5)));
        assert_eq!(at.duration_since(Timestamp::default()), Duration::from_micros(micros));
        assert_eq!((end + duration, at.duration_since(end)), (end, Duration::ZERO));
    }
}

#[test]
fn a_connection_works_with_the_smallest_and_the_largest_values() {
    let smallest = Config::new()
        .with_max_frame_len(0)
        .with_max_message_len(0)
        .with_high_water_len(0)
        .with_max_output_len(0)
        .with_keepalive(Duration::ZERO, Duration::ZERO)
        .with_close_timeout(Duration::ZERO)
        .with_write_timeout(Duration::ZERO)
        .with_min_progress(0);
    let largest = Config::new()
        .with_max_frame_len(usize::MAX)
        .with_max_message_len(usize::MAX)
        .with_high_water_len(usize::MAX)
        .with_max_output_len(usize::MAX)
        .with_keepalive(Duration::MAX, Duration::MAX)
        .with_close_timeout(Duration::MAX)
        .with_write_timeout(Duration::MAX)
        .with_min_progress(usize::MAX);
    for role in Role::BOTH {
        for config in [smallest, largest] {
            let bytes = [wire::text(role, ""), wire::pong(role, "p"), wire::close(role, 1000, "")].concat();
            let outcome = Scenario::new(role, &bytes).with_config(config).run();
            assert_eq!(outcome.events, [Seen::text(""), Seen::pong("p"), Seen::close(1000, "")]);
            let mut connection = role.connection(config);
            let _ = connection.send("x");
            for micros in [0, 1, 1 << 40, u64::MAX] {
                let _ = connection.poll_timeout(Timestamp::from_micros(micros));
                let _ = connection.handle_timeout(Timestamp::from_micros(micros));
            }
        }
    }
}
