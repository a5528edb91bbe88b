//! Who hears what.

use super::*;

#[test]
fn a_room_hears_what_is_said_in_it_and_the_sender_does_not() {
    let mut rooms = rooms();
    let (ann, at_ann) = rooms.guest_in("ann", "lobby");
    let (bob, at_bob) = rooms.guest_in("bob", "lobby");
    let (_, at_eve) = rooms.guest_in("eve", "elsewhere");
    at_ann.take();
    assert_eq!(rooms.tell(ann, 1, &room("lobby"), "hello"), Ok((1, 1)));
    assert_eq!(rooms.tell(bob, 1, &room("lobby"), "hello, ann"), Ok((2, 1)));
    assert_eq!(
        (at_ann.texts(), at_bob.texts(), at_eve.texts()),
        (vec!["hello, ann".into()], vec!["hello".into()], vec![])
    );
}

#[test]
fn without_an_exception_the_sender_hears_itself() {
    let mut rooms = rooms();
    let (ann, at_ann) = rooms.guest_in("ann", "lobby");
    let Ok(Verdict::New(entry)) = rooms.say(ann, 1, room("lobby"), "hello".into(), 5) else { panic!("new") };
    assert_eq!((entry.time, entry.from.as_str(), entry.client), (5, "ann", client("ann")));
    assert_eq!(rooms.apply(entry, None), 1);
    assert_eq!(at_ann.texts(), ["hello"]);
}

#[test]
fn a_private_message_reaches_every_connection_of_both_and_nobody_else() {
    let mut rooms = rooms();
    let (ann, at_ann) = rooms.guest("ann");
    let (_, at_ann_too) = rooms.guest("ann");
    let (_, at_bob) = rooms.guest("bob");
    let (_, at_bob_too) = rooms.guest("bob");
    let (_, at_eve) = rooms.guest("eve");
    assert_eq!(rooms.tell(ann, 1, &user("bob"), "psst"), Ok((1, 2)));
    assert_eq!((at_ann.texts(), at_ann_too.texts()), (vec![], vec!["psst".into()]));
    assert_eq!((at_bob.texts(), at_bob_too.texts()), (vec!["psst".into()], vec!["psst".into()]));
    assert_eq!(at_eve.take(), []);
    assert_eq!(rooms.tell(ann, 2, &user("nobody"), "psst"), Err(Refusal::NoSuchPerson));
}

#[test]
fn a_note_to_oneself_is_told_once() {
    let mut rooms = rooms();
    let (ann, _) = rooms.guest("ann");
    let (_, at_ann_too) = rooms.guest("ann");
    assert_eq!(rooms.tell(ann, 1, &user("ann"), "milk"), Ok((1, 1)));
    assert_eq!(at_ann_too.texts(), ["milk"]);
}

#[test]
fn what_a_moderator_says_to_all_reaches_all() {
    let mut rooms = rooms();
    let (moderator, _) = rooms.guest("mod");
    let (ann, at_ann) = rooms.guest_in("ann", "lobby");
    let (_, at_bob) = rooms.guest("bob");
    assert_eq!(rooms.tell(moderator, 1, &Channel::All, "tea is ready"), Ok((1, 2)));
    assert_eq!((at_ann.texts(), at_bob.texts()), (vec!["tea is ready".into()], vec!["tea is ready".into()]));
    assert_eq!(rooms.tell(ann, 1, &Channel::All, "me too"), Err(Refusal::NotAllowed));
}

#[test]
fn the_policy_is_asked_for_each_message_and_each_room() {
    let mut rooms = rooms();
    let (ann, _) = rooms.guest_in("ann", "news");
    let (moderator, _) = rooms.guest_in("mod", "news");
    assert_eq!(rooms.tell(ann, 1, &room("news"), "gossip"), Err(Refusal::NotAllowed));
    assert_eq!(rooms.tell(moderator, 1, &room("news"), "facts"), Ok((1, 1)));
    assert_eq!(rooms.join(ann, &name("closed"), None), Err(Refusal::NotAllowed));
}

#[test]
fn only_members_speak_in_a_room() {
    let mut rooms = rooms();
    let (ann, at_ann) = rooms.guest_in("ann", "lobby");
    let (bob, at_bob) = rooms.guest("bob");
    assert_eq!(rooms.tell(bob, 1, &room("lobby"), "hello"), Err(Refusal::NotAMember));
    assert_eq!(rooms.leave(ann, &name("lobby")), Ok(true));
    assert_eq!(at_ann.take(), [Event::Left { room: name("lobby") }]);
    assert_eq!(rooms.tell(ann, 1, &room("lobby"), "hello"), Err(Refusal::NotAMember));
    assert_eq!(rooms.leave(ann, &name("lobby")), Err(Refusal::NotAMember));
    assert_eq!(at_bob.take(), []);
}

#[test]
fn a_person_is_present_from_the_first_connection_to_the_last() {
    let mut rooms = rooms();
    let (ann, at_ann) = rooms.guest_in("ann", "lobby");
    let (bob, _) = rooms.guest("bob");
    let (bob_too, _) = rooms.guest("bob");
    assert_eq!(rooms.join(bob, &name("lobby"), None), Ok(true));
    assert_eq!(rooms.join(bob_too, &name("lobby"), None), Ok(false));
    assert_eq!(rooms.join(bob, &name("lobby"), None), Err(Refusal::AlreadyThere));
    assert_eq!(at_ann.take(), [Event::Came { room: name("lobby"), user: name("bob") }]);
    assert_eq!(rooms.leave(bob, &name("lobby")), Ok(false));
    assert_eq!(at_ann.take(), []);
    rooms.exit(bob_too);
    assert_eq!(at_ann.take(), [Event::Went { room: name("lobby"), user: name("bob") }]);
    rooms.exit(bob_too);
    rooms.exit(ann);
    assert_eq!((at_ann.take(), rooms.guest_count()), (vec![], 1));
}

#[test]
fn who_joins_learns_who_is_there() {
    let mut rooms = rooms();
    rooms.guest_in("ann", "lobby");
    let (bob, at_bob) = rooms.guest("bob");
    rooms.join(bob, &name("lobby"), None).expect("joined");
    assert_eq!(at_bob.joined(&room("lobby")).0, ["ann", "bob"]);
}

#[test]
fn a_guest_that_does_not_listen_leaves_and_the_others_go_on() {
    let mut rooms = rooms();
    let (ann, at_ann) = rooms.guest_in("ann", "lobby");
    let (bob, at_bob) = rooms.guest_in("bob", "lobby");
    let (_, at_eve) = rooms.guest_in("eve", "lobby");
    at_ann.take();
    at_bob.is_deaf.set(true);
    assert_eq!(rooms.tell(ann, 1, &room("lobby"), "hello"), Ok((1, 1)));
    assert_eq!(at_ann.take(), [Event::Went { room: name("lobby"), user: name("bob") }]);
    assert_eq!(at_eve.texts(), ["hello"]);
    assert_eq!(rooms.tell(bob, 1, &room("lobby"), "hello"), Err(Refusal::Gone));
    assert_eq!(rooms.join(bob, &name("other"), None), Err(Refusal::Gone));
    assert_eq!(rooms.leave(bob, &name("lobby")), Err(Refusal::Gone));
    assert_eq!(rooms.guest_count(), 2);
}

#[test]
fn many_that_do_not_listen_leave_at_once() {
    let mut rooms = rooms();
    let (ann, _) = rooms.guest_in("ann", "lobby");
    for number in 0..50 {
        let (_, ear) = rooms.guest_in(&format!("deaf{number}"), "lobby");
        ear.is_deaf.set(true);
    }
    assert_eq!(rooms.tell(ann, 1, &room("lobby"), "hello"), Ok((1, 0)));
    assert_eq!(rooms.guest_count(), 1);
}
