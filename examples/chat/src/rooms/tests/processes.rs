//! What other processes tell.

use super::*;

fn entry(origin: &str, seq: u64, to: Channel, from: &str) -> Entry {
    let text = format!("{origin} {seq}");
    Entry { origin: name(origin), seq, to, from: name(from), client: client(from), id: seq, time: seq, text }
}

#[test]
fn a_message_of_another_process_is_told_once() {
    let mut rooms = rooms();
    let (_, at_ann) = rooms.guest_in("ann", "lobby");
    assert_eq!(rooms.apply(entry("q", 5, room("lobby"), "zoe"), None), 1);
    assert_eq!(rooms.apply(entry("q", 5, room("lobby"), "zoe"), None), 0);
    assert_eq!(rooms.apply(entry("q", 4, room("lobby"), "zoe"), None), 0);
    assert_eq!(rooms.apply(entry("r", 1, room("lobby"), "zoe"), None), 1);
    assert_eq!(at_ann.texts(), ["q 5", "r 1"]);
}

#[test]
fn a_message_that_another_process_accepted_is_recognised() {
    let mut rooms = rooms();
    rooms.apply(entry("q", 5, room("lobby"), "ann"), None);
    let (ann, _) = rooms.guest_in("ann", "lobby");
    let verdict = rooms.say(ann, 5, room("lobby"), "q 5".into(), 1);
    assert_eq!(verdict, Ok(Verdict::Known { origin: name("q"), seq: 5 }));
}

#[test]
fn each_process_has_its_own_numbers() {
    let mut rooms = rooms();
    let (ann, _) = rooms.guest_in("ann", "lobby");
    for seq in 1..=3 {
        rooms.apply(entry("q", seq, room("lobby"), "zoe"), None);
        rooms.tell(ann, 100 + seq, &room("lobby"), &format!("p {seq}")).expect("said");
    }
    let (bob, at_bob) = rooms.guest("bob");
    rooms.join(bob, &name("lobby"), Some(&position(&[("p", 2), ("q", 1)]))).expect("joined");
    let (_, _, gap, texts) = at_bob.joined(&room("lobby"));
    assert_eq!((gap, texts), (false, vec!["q 2".into(), "q 3".into(), "p 3".into()]));
}

#[test]
fn a_private_message_comes_from_elsewhere() {
    let mut rooms = rooms();
    let (_, at_ann) = rooms.guest("ann");
    assert_eq!(rooms.apply(entry("q", 1, user("ann"), "zoe"), None), 1);
    assert_eq!(at_ann.texts(), ["q 1"]);
}

#[test]
fn a_person_is_present_through_any_process() {
    let mut rooms = rooms();
    let (ann, at_ann) = rooms.guest_in("ann", "lobby");
    let lobby = name("lobby");
    for _ in 0..2 {
        rooms.apply_presence(&name("q"), &lobby, &name("zoe"), true);
    }
    rooms.apply_presence(&name("r"), &lobby, &name("zoe"), true);
    assert_eq!(at_ann.take(), [Event::Came { room: lobby.clone(), user: name("zoe") }]);
    // She can be written to.
    assert_eq!(rooms.tell(ann, 1, &user("zoe"), "hello"), Ok((1, 0)));
    rooms.apply_presence(&name("q"), &lobby, &name("zoe"), false);
    assert_eq!(at_ann.take(), []);
    rooms.forget_presence(&name("r"));
    assert_eq!(at_ann.take(), [Event::Went { room: lobby.clone(), user: name("zoe") }]);
    assert_eq!(rooms.presence().collect::<Vec<_>>(), [(&lobby, &name("ann"))]);
}

#[test]
fn processes_that_are_long_gone_make_place() {
    let mut rooms = rooms_with(|limits| limits.max_origins = 2);
    for (number, origin) in ["q", "r", "s"].iter().enumerate() {
        rooms.apply(entry(origin, 1 + number as u64, room("lobby"), "zoe"), None);
    }
    assert_eq!(rooms.heads.keys().map(Name::as_str).collect::<Vec<_>>(), ["r", "s"]);
}
