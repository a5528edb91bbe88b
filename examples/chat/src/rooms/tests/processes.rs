//! What other processes tell.

use super::*;

fn entry(origin: &str, seq: u64, to: Channel, from: &str) -> Entry {
    let text = format!("{origin} {seq}");
    Entry { origin: name(origin), seq, to, from: name(from), client: client(from), id: seq, time: seq, text }
}

fn change(room: &str, user: &str, is_there: bool) -> Change {
    Change { room: Some(name(room)), user: name(user), is_there }
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
        rooms.apply_presence(&name("q"), &change("lobby", "zoe", true));
    }
    rooms.apply_presence(&name("r"), &change("lobby", "zoe", true));
    assert_eq!(at_ann.take(), [Event::Came { room: lobby.clone(), user: name("zoe") }]);
    // She can be written to.
    assert_eq!(rooms.tell(ann, 1, &user("zoe"), "hello"), Ok((1, 0)));
    rooms.apply_presence(&name("q"), &change("lobby", "zoe", false));
    assert_eq!(at_ann.take(), []);
    rooms.forget_presence(&name("r"));
    assert_eq!(at_ann.take(), [Event::Went { room: lobby.clone(), user: name("zoe") }]);
    assert_eq!(rooms.presence().collect::<Vec<_>>(), [(None, &name("ann")), (Some(&lobby), &name("ann"))]);
}

#[test]
fn processes_that_are_long_gone_make_place() {
    let mut rooms = rooms_with(|limits| limits.max_origins = 2);
    for (number, origin) in ["q", "r", "s"].iter().enumerate() {
        rooms.apply(entry(origin, 1 + number as u64, room("lobby"), "zoe"), None);
    }
    let names = |rooms: &Rooms<Ear>| rooms.heads.keys().map(Name::to_string).collect::<Vec<_>>();
    assert_eq!(names(&rooms), ["r", "s"]);
    // But not for one that is older still, or of which nobody remembers anything.
    assert_eq!(rooms.apply(entry("old", 1, room("lobby"), "zoe"), None), 0);
    assert_eq!(names(&rooms), ["r", "s"]);
    rooms.catch_up(&position(&[("q", 9), ("s", 9)]));
    assert_eq!((names(&rooms), rooms.head(&name("s"))), (vec!["r".into(), "s".into()], 9));
}

#[test]
fn a_message_that_two_processes_have_accepted_is_told_once() {
    let mut rooms = rooms();
    let (ann, _) = rooms.guest_in("ann", "lobby");
    let (_, at_bob) = rooms.guest_in("bob", "lobby");
    rooms.tell(ann, 7, &room("lobby"), "hello").expect("said");
    let again = Entry { id: 7, ..entry("q", 3, room("lobby"), "ann") };
    assert_eq!(rooms.apply(again, None), 0);
    assert_eq!(at_bob.texts(), ["hello"]);
    assert_eq!(rooms.head(&name("q")), 3);
    // Whoever has read it there has read it here.
    for (since, missed) in [(("q", 3), 0), (("q", 2), 1), (("p", 1), 0), (("p", 0), 1)] {
        let (zoe, at_zoe) = rooms.guest("zoe");
        rooms.join(zoe, &name("lobby"), Some(&position(&[since]))).expect("joined");
        assert_eq!(at_zoe.texts().len(), missed, "{since:?}");
        rooms.exit(zoe);
    }
}

#[test]
fn changes_are_noted_when_a_person_comes_first_and_goes_last() {
    let mut rooms = rooms();
    rooms.note_changes();
    let came = |room: Option<&str>, user| Change { room: room.map(name), user: name(user), is_there: true };
    let (one, _) = rooms.guest_in("ann", "lobby");
    let (two, at_two) = rooms.guest_in("ann", "lobby");
    assert_eq!(rooms.take_changes(), [came(None, "ann"), came(Some("lobby"), "ann"), came(None, "ann")]);
    rooms.leave(one, &name("lobby")).expect("left");
    assert_eq!(rooms.take_changes(), []);
    // A guest that is lost is as one that leaves.
    at_two.is_deaf.set(true);
    rooms.apply(entry("q", 1, room("lobby"), "zoe"), None);
    assert_eq!(rooms.take_changes(), [change("lobby", "ann", false)]);
    rooms.exit(two);
    assert_eq!(rooms.take_changes(), []);
}

#[test]
fn a_room_with_people_elsewhere_makes_no_place() {
    let mut rooms = rooms_with(|limits| limits.max_rooms = 1);
    let (ann, at_ann) = rooms.guest("ann");
    rooms.apply_presence(&name("q"), &change("garden", "zoe", true));
    assert_eq!(rooms.join(ann, &name("lobby"), None), Err(Refusal::TooManyRooms));
    rooms.join(ann, &name("garden"), None).expect("joined");
    assert_eq!(at_ann.joined(&room("garden")).0, ["ann", "zoe"]);
    rooms.leave(ann, &name("garden")).expect("left");
    rooms.forget_presence(&name("q"));
    rooms.join(ann, &name("lobby"), None).expect("joined");
}

/// The records go through JSON, as they do between processes.
fn teach(from: &Rooms<Ear>, to: &mut Rooms<Ear>) -> usize {
    let missed = from.missed(&to.heads());
    for record in &missed {
        let json = serde_json::to_string(record).expect("JSON");
        to.learn(serde_json::from_str(&json).expect("a record"));
    }
    to.catch_up(&from.heads());
    missed.len()
}

#[test]
fn a_process_that_comes_later_learns_all_that_is_remembered() {
    let mut old = rooms_with(|limits| limits.max_history_count = 2);
    let (ann, _) = old.guest_in("ann", "lobby");
    let _zoe = old.guest("zoe");
    for id in 1..=4 {
        old.tell(ann, id, &room("lobby"), &format!("p {id}")).expect("said");
    }
    old.tell(ann, 5, &user("zoe"), "p 5").expect("said");
    old.apply(entry("q", 9, room("lobby"), "kim"), None);
    let mut young = Rooms::new(name("y"), Limits::default(), policy);
    assert_eq!(teach(&old, &mut young), 4);
    assert_eq!(young.heads(), old.heads());
    let (bob, at_bob) = young.guest("bob");
    young.join(bob, &name("lobby"), Some(&position(&[("p", 2)]))).expect("joined");
    // q 9 was said at the time 9.
    assert_eq!(
        at_bob.joined(&room("lobby")),
        (vec!["bob".into()], position(&[("p", 3)]), true, vec!["q 9".into(), "p 4".into()])
    );
    // Another room has no gap.
    young.join(bob, &name("garden"), Some(&Position::new())).expect("joined");
    assert!(!at_bob.joined(&room("garden")).2);
    assert_eq!(teach(&old, &mut young), 0);
}

#[test]
fn what_was_forgotten_elsewhere_meanwhile_is_a_gap() {
    let mut other = rooms_with(|limits| limits.max_history_count = 1);
    let (ann, _) = other.guest_in("ann", "lobby");
    other.tell(ann, 1, &room("lobby"), "p 1").expect("said");
    let mut here = Rooms::new(name("y"), Limits::default(), policy);
    let (_, at_bob) = here.guest_in("bob", "lobby");
    teach(&other, &mut here);
    for id in 2..=3 {
        other.tell(ann, id, &room("lobby"), &format!("p {id}")).expect("said");
    }
    teach(&other, &mut here);
    assert_eq!(at_bob.texts(), ["p 1", "p 3"]);
    let (zoe, at_zoe) = here.guest("zoe");
    for (since, gap, texts) in [(1, true, vec!["p 3".to_owned()]), (3, false, vec![])] {
        here.join(zoe, &name("lobby"), Some(&position(&[("p", since)]))).expect("joined");
        let (_, _, has_gap, told) = at_zoe.joined(&room("lobby"));
        assert_eq!((has_gap, told), (gap, texts));
        here.leave(zoe, &name("lobby")).expect("left");
    }
}

#[test]
fn an_entry_of_another_process_keeps_the_rules() {
    let rooms = rooms();
    let sound = entry("q", 1, room("lobby"), "zoe");
    assert!(rooms.is_sound(&sound));
    for text in ["", " ", "a\u{1b}b", &"x".repeat(4_001)] {
        assert!(!rooms.is_sound(&Entry { text: text.into(), ..sound.clone() }), "{text}");
    }
    for (seq, time) in [(0, 1), (u64::MAX, 1), (1, u64::MAX)] {
        assert!(!rooms.is_sound(&Entry { seq, time, ..sound.clone() }));
    }
}

#[test]
fn what_others_have_forgotten_and_this_one_has_is_no_gap() {
    let mut rooms = rooms();
    let (_, _) = rooms.guest_in("ann", "lobby");
    rooms.apply(entry("q", 5, room("lobby"), "zoe"), None);
    for (seq, is_gap) in [(4, false), (5, false), (6, true)] {
        rooms.learn(Record::Forgotten(Some(room("lobby")), position(&[("q", seq)])));
        let (bob, at_bob) = rooms.guest("bob");
        rooms.join(bob, &name("lobby"), Some(&position(&[("q", 3)]))).expect("joined");
        let (_, _, gap, texts) = at_bob.joined(&room("lobby"));
        assert_eq!((gap, texts), (is_gap, vec!["q 5".into()]), "{seq}");
    }
}

#[test]
fn what_all_have_forgotten_is_missing_in_rooms_and_inboxes_that_are_new() {
    let mut rooms = rooms();
    rooms.learn(Record::Forgotten(None, position(&[("q", 5)])));
    let (kim, at_kim) = rooms.guest("kim");
    rooms.join(kim, &name("garden"), Some(&position(&[("q", 4)]))).expect("joined");
    let (_, after, gap, _) = at_kim.joined(&room("garden"));
    assert_eq!((after, gap), (position(&[("q", 5)]), true));
    let (at_zoe, since) = (Ear::default(), position(&[("q", 4)]));
    rooms.enter(person("zoe"), client("zoe"), at_zoe.clone(), None, Some(&since)).expect("a place");
    let (_, after, gap, _) = at_zoe.joined(&user("zoe"));
    assert_eq!((after, gap), (position(&[("q", 5)]), true));
}

#[test]
fn a_private_message_that_two_processes_have_accepted_is_read_once() {
    let mut rooms = rooms();
    let (_, _) = rooms.guest("bob");
    let (ann, _) = rooms.guest("ann");
    rooms.tell(ann, 7, &user("bob"), "hello").expect("said");
    let again = Entry { client: client("ann"), id: 7, ..entry("q", 1, user("bob"), "ann") };
    assert_eq!(rooms.apply(again, None), 0);
    for of in ["ann", "bob"] {
        for (since, texts) in [(position(&[]), vec!["hello"]), (position(&[("q", 1)]), vec![])] {
            let ear = Ear::default();
            rooms.enter(person(of), client("later"), ear.clone(), None, Some(&since)).expect("a place");
            assert_eq!(ear.texts(), texts, "{of}");
        }
    }
}
