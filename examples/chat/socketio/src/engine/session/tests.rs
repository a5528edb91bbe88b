use std::task::Poll;
use std::time::{Duration, Instant};

use super::upgrade::NOOP_DELAY;
use super::*;

const MS: Duration = Duration::from_millis(1);

fn limits() -> Limits {
    Limits { ping_interval: 300 * MS, ping_timeout: 200 * MS, max_queued_len: 1000, ..Limits::default() }
}

/// A session whose handshake has been taken.
fn polling() -> (Session, Instant) {
    let now = Instant::now();
    let mut session = Session::polling("abc", limits(), now);
    assert_eq!(session.get(now), Ok(()));
    assert!(matches!(session.poll_get(), Poll::Ready(Ok(_))));
    (session, now)
}

fn websocket() -> (Session, WebSocketId, Instant) {
    let now = Instant::now();
    let (mut session, id) = Session::websocket("abc", limits(), now);
    assert!(matches!(session.poll_websocket(id), Poll::Ready(Some(_))));
    (session, id, now)
}

fn text(data: &str) -> Packet<'_> {
    Packet::Message(Message::Text(data))
}

fn answer(body: &str) -> Poll<Result<String, Refusal>> {
    Poll::Ready(Ok(body.into()))
}

fn packet(text: &str) -> Poll<Option<Encoded>> {
    Poll::Ready(Some(Encoded::control(text)))
}

/// What the layer above takes from packets that are all allowed.
fn post<'p>(session: &mut Session, packets: &[Packet<'p>], now: Instant) -> Vec<Message<'p>> {
    assert_eq!(session.post(now), Ok(()));
    let messages = packets
        .iter()
        .filter_map(|packet| session.receive(Channel::Polling, packet.clone(), now).expect("allowed"));
    let messages = messages.collect();
    session.end_post();
    messages
}

#[test]
fn the_handshake_tells_the_limits() {
    let now = Instant::now();
    let mut session = Session::polling("a_-9", limits(), now);
    session.get(now).expect("open");
    let expected = r#"0{"sid":"a_-9","upgrades":["websocket"],"pingInterval":300,"pingTimeout":200,"maxPayload":1000000}"#;
    assert_eq!(session.poll_get(), answer(expected));
    let (mut session, id) = Session::websocket("a", limits(), now);
    let expected = r#"0{"sid":"a","upgrades":[],"pingInterval":300,"pingTimeout":200,"maxPayload":1000000}"#;
    assert_eq!(session.poll_websocket(id), packet(expected));
    assert_eq!(session.poll_websocket(id), Poll::Pending);
}

#[test]
fn a_get_waits_for_packets_and_takes_all() {
    let (mut session, now) = polling();
    assert_eq!(session.get(now), Ok(()));
    assert_eq!(session.poll_get(), Poll::Pending);
    assert!(!session.is_get_ready());
    session.send(&[Encoded::message("a"), Encoded::Binary(vec![1, 2, 3, 4].into())]).expect("room");
    session.send(&[Encoded::message("b")]).expect("room");
    assert!(session.is_get_ready());
    assert_eq!(session.poll_get(), answer("4a\u{1e}bAQIDBA==\u{1e}4b"));
    assert!(!session.is_get_ready());
}

#[test]
fn messages_are_handed_up_in_order() {
    let (mut session, now) = polling();
    let messages = post(&mut session, &[text("a"), Packet::Noop, text("b")], now);
    assert_eq!(messages, [Message::Text("a"), Message::Text("b")]);
}

#[test]
fn pings_are_answered_or_the_session_ends() {
    let (mut session, start) = polling();
    let mut now = start;
    for _ in 0..3 {
        now += 300 * MS;
        session.get(now).expect("open");
        assert_eq!(session.poll_get(), answer("2"));
        now += 100 * MS;
        assert!(post(&mut session, &[Packet::Pong("")], now).is_empty());
    }
    assert_eq!(session.poll_timeout(), Some(now + 300 * MS));
    session.handle_timeout(now + 300 * MS);
    session.handle_timeout(now + 499 * MS);
    assert_eq!(session.close_reason(), None);
    // The request itself finds out, whether or not anybody asked in between.
    assert_eq!(session.get(now + 500 * MS), Err(Refusal::UnknownSid));
    assert_eq!(session.close_reason(), Some(CloseReason::PingTimeout));
    assert!(!session.is_known());
}

#[test]
fn a_websocket_without_pongs_is_closed() {
    let (mut session, id, start) = websocket();
    session.handle_timeout(start + 300 * MS);
    assert_eq!(session.poll_websocket(id), packet("2"));
    assert_eq!(session.poll_websocket(id), Poll::Pending);
    session.handle_timeout(start + 500 * MS);
    assert_eq!(session.poll_websocket(id), Poll::Ready(None));
}

#[test]
fn two_gets_at_once_end_the_session() {
    let (mut session, now) = polling();
    session.get(now).expect("open");
    session.send(&[]).expect("room");
    assert_eq!(session.get(now), Err(Refusal::BadRequest));
    assert_eq!(session.close_reason(), Some(CloseReason::Overlap));
    assert_eq!(session.get(now), Err(Refusal::UnknownSid));
    assert_eq!(session.poll_get(), answer("1"));
    assert_eq!(session.get(now), Err(Refusal::UnknownSid));
}

#[test]
fn two_posts_at_once_end_the_session() {
    let (mut session, now) = polling();
    session.post(now).expect("open");
    assert_eq!(session.post(now), Err(Refusal::BadRequest));
    assert_eq!(session.close_reason(), Some(CloseReason::Overlap));
    // What the first one brings is not looked at.
    assert_eq!(session.receive(Channel::Polling, text("a"), now), Ok(None));
}

#[test]
fn a_cancelled_get_ends_the_session() {
    let (mut session, now) = polling();
    session.cancel_get(now);
    assert_eq!(session.close_reason(), None);
    session.get(now).expect("open");
    session.cancel_get(now);
    assert_eq!(session.close_reason(), Some(CloseReason::Transport));
    assert_eq!(session.get(now), Err(Refusal::UnknownSid));
}

#[test]
fn a_client_that_closes_gets_its_poll_back_in_either_order() {
    for is_get_first in [true, false] {
        let (mut session, now) = polling();
        session.send(&[Encoded::message("not wanted any more")]).expect("room");
        if is_get_first {
            session.get(now).expect("open");
        }
        post(&mut session, &[Packet::Close, text("after the end")], now);
        if !is_get_first {
            assert!(session.is_known());
            session.get(now).expect("the last one");
        }
        assert_eq!(session.poll_get(), answer("6"));
        assert_eq!(session.get(now), Err(Refusal::UnknownSid));
        assert_eq!(session.close_reason(), Some(CloseReason::Client));
    }
}

#[test]
fn a_server_that_closes_delivers_what_is_queued() {
    let (mut session, now) = polling();
    session.send(&[Encoded::message("bye")]).expect("room");
    session.close(CloseReason::Server, now);
    assert_eq!(session.send(&[Encoded::message("late")]), Err(SendError::Closed));
    session.get(now).expect("known");
    assert_eq!(session.poll_get(), answer("4bye"));
    session.get(now + 199 * MS).expect("the last one");
    assert_eq!(session.poll_get(), answer("1"));
    assert!(!session.is_known());

    let (mut session, id, now) = websocket();
    session.send(&[Encoded::message("bye")]).expect("room");
    session.close(CloseReason::Server, now);
    assert!(!session.is_known());
    assert_eq!(session.poll_websocket(id), packet("4bye"));
    assert_eq!(session.poll_websocket(id), Poll::Ready(None));
}

#[test]
fn a_server_that_stops_waits_for_nobody_between_two_polls() {
    let (mut session, now) = polling();
    session.send(&[Encoded::message("a")]).expect("sent");
    session.shut_down(now);
    assert!(!session.is_known());
    assert_eq!(session.poll_timeout(), None);
    // The others are told.
    let (mut session, now) = polling();
    session.get(now).expect("open");
    session.shut_down(now);
    assert_eq!(session.poll_get(), answer("1"));
    let (mut session, id, now) = websocket();
    session.send(&[Encoded::message("a")]).expect("sent");
    session.shut_down(now);
    assert_eq!(session.poll_websocket(id), packet("4a"));
    assert_eq!(session.poll_websocket(id), Poll::Ready(None));
}

#[test]
fn nothing_waits_for_a_poll_for_ever() {
    let (mut session, now) = polling();
    session.close(CloseReason::Server, now);
    assert_eq!(session.poll_timeout(), Some(now + 200 * MS));
    assert_eq!(session.get(now + 200 * MS), Err(Refusal::UnknownSid));
    assert_eq!(session.poll_timeout(), None);
}

#[test]
fn packets_that_only_servers_send_end_the_session() {
    for packet in [Packet::Open("{}"), Packet::Ping(""), Packet::Upgrade] {
        let (mut session, id, now) = websocket();
        assert_eq!(session.receive(Channel::WebSocket(id), packet, now), Err(Refusal::BadRequest));
        assert_eq!(session.close_reason(), Some(CloseReason::Violation));
        assert_eq!(session.poll_websocket(id), Poll::Ready(None));
    }
}

#[test]
fn an_upgrade_moves_what_is_queued() {
    let (mut session, now) = polling();
    session.get(now).expect("open");
    let id = session.attach(now).expect("an upgrade");
    let channel = Channel::WebSocket(id);
    assert_eq!(session.poll_websocket(id), Poll::Pending);
    assert_eq!(session.receive(channel, Packet::Ping("probe"), now), Ok(None));
    assert!(session.is_websocket_ready());
    assert_eq!(session.poll_websocket(id), packet("3probe"));
    assert_eq!(session.poll_websocket(id), Poll::Pending);
    // The GET that waits and the next one end, so that the client can go on.
    assert_eq!(session.poll_get(), Poll::Pending);
    assert_eq!(session.poll_timeout(), Some(now + NOOP_DELAY));
    session.handle_timeout(now + NOOP_DELAY);
    assert!(session.is_get_ready());
    assert_eq!(session.poll_get(), answer("6"));
    session.get(now).expect("still polling");
    assert_eq!(session.poll_get(), answer("6"));
    session.send(&[Encoded::message("between")]).expect("room");
    assert_eq!(session.poll_websocket(id), Poll::Pending);
    assert_eq!(session.receive(channel, Packet::Upgrade, now), Ok(None));
    assert_eq!(session.transport(), Transport::WebSocket);
    assert_eq!(session.poll_websocket(id), packet("4between"));
    assert_eq!(session.receive(channel, text("hello"), now), Ok(Some(Message::Text("hello"))));

    assert_eq!(session.get(now), Err(Refusal::BadRequest));
    assert_eq!(session.post(now), Err(Refusal::BadRequest));
    assert_eq!(session.attach(now), Err(Refusal::BadRequest));
    assert_eq!(session.close_reason(), None);
}

#[test]
fn a_probe_is_answered_also_if_the_upgrade_does_not_wait_for_that() {
    let (mut session, now) = polling();
    session.send(&[Encoded::message("a")]).expect("room");
    let id = session.attach(now).expect("an upgrade");
    for packet in [Packet::Ping("probe"), Packet::Upgrade] {
        session.receive(Channel::WebSocket(id), packet, now).expect("allowed");
    }
    assert_eq!(session.poll_websocket(id), packet("3probe"));
    assert_eq!(session.poll_websocket(id), packet("4a"));
    assert_eq!(session.poll_websocket(id), Poll::Pending);
}

#[test]
fn a_get_that_crosses_the_upgrade_is_refused() {
    for is_before_probe in [true, false] {
        let (mut session, now) = polling();
        let id = session.attach(now).expect("an upgrade");
        if is_before_probe {
            session.get(now).expect("open");
        }
        session.receive(Channel::WebSocket(id), Packet::Ping("probe"), now).expect("allowed");
        if !is_before_probe {
            session.get(now).expect("open");
        }
        assert!(!session.is_get_ready());
        session.receive(Channel::WebSocket(id), Packet::Upgrade, now + NOOP_DELAY / 2).expect("allowed");
        assert!(session.is_get_ready());
        assert_eq!(session.poll_get(), Poll::Ready(Err(Refusal::BadRequest)));
    }
}

#[test]
fn a_post_that_ends_after_the_upgrade_brings_nothing() {
    let (mut session, now) = polling();
    session.post(now).expect("open");
    let id = session.attach(now).expect("an upgrade");
    session.receive(Channel::WebSocket(id), Packet::Ping("probe"), now).expect("allowed");
    session.receive(Channel::WebSocket(id), Packet::Upgrade, now).expect("allowed");
    assert_eq!(session.receive(Channel::Polling, text("late"), now), Err(Refusal::BadRequest));
    assert_eq!(session.close_reason(), None);
}

#[test]
fn a_failed_upgrade_leaves_long_polling() {
    let probe = || Packet::Ping("probe");
    for packets in [
        vec![text("x")],
        vec![Packet::Ping("")],
        vec![Packet::Upgrade],
        vec![probe(), text("x")],
        vec![probe(), probe()],
    ] {
        let (mut session, now) = polling();
        let id = session.attach(now).expect("an upgrade");
        for packet in &packets {
            assert_eq!(session.receive(Channel::WebSocket(id), packet.clone(), now), Ok(None));
        }
        assert_eq!(session.poll_websocket(id), Poll::Ready(None), "{packets:?}");
        assert!(session.is_websocket_ready());
        session.send(&[Encoded::message("a")]).expect("room");
        session.get(now).expect("open");
        assert_eq!(session.poll_get(), answer("4a"));
        // The next one may succeed, whatever the old one does.
        let next = session.attach(now).expect("another upgrade");
        session.detach(id, now);
        session.receive(Channel::WebSocket(id), probe(), now).expect("ignored");
        assert_eq!(session.poll_websocket(next), Poll::Pending);
    }
}

#[test]
fn an_upgrade_has_to_end_in_time() {
    let (mut session, now) = polling();
    session.limits.upgrade_timeout = 100 * MS;
    for is_probed in [false, true] {
        let id = session.attach(now).expect("an upgrade");
        if is_probed {
            session.receive(Channel::WebSocket(id), Packet::Ping("probe"), now).expect("allowed");
            session.handle_timeout(now + NOOP_DELAY);
        }
        assert_eq!(session.poll_timeout(), Some(now + 100 * MS));
        session.handle_timeout(now + 100 * MS);
        assert_eq!(session.poll_websocket(id), Poll::Ready(None));
        assert_eq!(session.close_reason(), None);
    }
}

#[test]
fn a_websocket_that_ends_takes_the_session_along() {
    let (mut session, id, now) = websocket();
    session.detach(id, now);
    assert_eq!(session.close_reason(), Some(CloseReason::Transport));

    let (mut session, now) = polling();
    let id = session.attach(now).expect("an upgrade");
    session.detach(id, now);
    assert_eq!(session.close_reason(), None);
    assert!(session.attach(now).is_ok());
}

#[test]
fn a_slow_client_is_bounded() {
    let (mut session, now) = polling();
    let mut count = 0;
    while session.send(&[Encoded::message("")]).is_ok() {
        count += 1;
    }
    // Empty ones count as well.
    assert!((10..50).contains(&count), "{count}");
    assert_eq!(session.send(&[Encoded::message("")]), Err(SendError::Full));
    session.get(now).expect("open");
    assert!(matches!(session.poll_get(), Poll::Ready(Ok(_))));
    assert_eq!(session.send(&[Encoded::message(&"x".repeat(5000))]), Ok(()));
    assert_eq!(session.send(&[Encoded::message("")]), Err(SendError::Full));
}
