//! [`Message`]: what processes say to each other. JSON, one object each.
//!
//! Another process may run another version, so that nothing is believed that is not understood: a message of another
//! [`VERSION`], or of a kind that does not exist here, is left aside.

use serde::{Deserialize, Serialize};

use super::Unknown;
use crate::rooms::{Change, Entry, Name, Position, Record};

/// The version of these messages. Processes of different versions do not hear each other.
pub(super) const VERSION: u32 = 1;

/// The longest message that is looked at, in bytes.
pub(super) const MAX_LEN: usize = 1 << 20;

/// The processes that a position may name.
pub(super) const MAX_POSITION: usize = 256;

/// A message, and who sends it. Its records are shared with the history on their way out.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Message<R = Record> {
    /// The version of the sender.
    pub(super) version: u32,
    /// The sender: its name as an origin.
    pub(super) from: Name,
    /// Its run: another number each time that it is started.
    pub(super) run: u64,
    /// What it says.
    pub(super) body: Body<R>,
}

/// What one process says to the others. Those bodies with a `to` concern that one alone.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Body<R = Record> {
    /// It lives. Comes again and again.
    Status(Status),
    /// It has accepted these messages, whose numbers are consecutive.
    Said(Vec<Entry>),
    /// Somebody has come or gone. The number is that of the last change.
    Changed(u64, Vec<Change>),
    /// Who is there, after the change of that number.
    Everyone(Everyone),
    /// It asks for what it has missed.
    Ask(Ask),
    /// It asks who is there.
    Who {
        /// Whom it asks.
        to: Name,
    },
    /// What was missed.
    Missed(Answer<R>),
    /// It stops.
    Bye,
}

/// How far a process has got.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Status {
    /// Of each process, the last message that it has.
    pub(super) heads: Position,
    /// The number of its last change.
    pub(super) changes: u64,
    /// True if the others are to say at once that they live.
    pub(super) hello: bool,
}

/// A part of the list of all who are there.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Everyone {
    /// The number of the last change.
    pub(super) changes: u64,
    /// The number of the part, from 0.
    pub(super) part: u32,
    /// True for the last part.
    pub(super) last: bool,
    /// People by room; without a room, those who are in the chat.
    pub(super) people: Vec<(Option<Name>, Vec<Name>)>,
}

/// A question for what was missed. The answer comes in pages, each of which is asked for.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ask {
    /// Who is asked.
    pub(super) to: Name,
    /// The number of the question.
    pub(super) number: u64,
    /// Where it begins; without it, the next page is asked for.
    pub(super) since: Option<Position>,
}

/// A page of what was missed.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Answer<R> {
    /// Who has asked.
    pub(super) to: Name,
    /// The number of the question.
    pub(super) number: u64,
    /// What was missed.
    pub(super) records: Vec<R>,
    /// In the last page: how far the sender had got when it was asked first.
    pub(super) heads: Option<Position>,
}

impl Message {
    /// Reads a message.
    ///
    /// # Errors
    /// Why it is left aside.
    pub(super) fn decode(payload: &[u8]) -> Result<Self, Unknown> {
        if payload.len() > MAX_LEN {
            return Err(Unknown::Malformed);
        }
        match serde_json::from_slice::<Self>(payload) {
            Ok(message) if message.version != VERSION => Err(Unknown::Version(message.version)),
            Ok(message) if message.is_bounded() => Ok(message),
            Ok(_) => Err(Unknown::Malformed),
            Err(_) => Err(version(payload)
                .filter(|version| *version != VERSION)
                .map_or(Unknown::Malformed, Unknown::Version)),
        }
    }

    fn is_bounded(&self) -> bool {
        let positions = match &self.body {
            Body::Status(Status { heads, .. }) => Some(heads),
            Body::Ask(Ask { since, .. }) => since.as_ref(),
            Body::Missed(Answer { heads, .. }) => heads.as_ref(),
            _ => None,
        };
        positions.is_none_or(|position| position.len() <= MAX_POSITION)
    }
}

/// The version of a message that says what is not understood.
fn version(payload: &[u8]) -> Option<u32> {
    #[derive(Deserialize)]
    struct Head {
        version: u32,
    }
    serde_json::from_slice::<Head>(payload).ok().map(|head| head.version)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rooms::{Channel, ClientId, Missed};

    fn name(name: &str) -> Name {
        Name::new(name).expect("a name")
    }

    fn message<R>(body: Body<R>) -> Message<R> {
        Message { version: VERSION, from: name("p"), run: 7, body }
    }

    fn heads() -> Position {
        Position::from([(name("p"), 3)])
    }

    fn entry() -> Entry {
        let client = ClientId::new(1);
        Entry {
            origin: name("p"),
            seq: 1,
            to: Channel::All,
            from: name("ann"),
            client,
            id: 2,
            time: 3,
            text: "\"hi\"".into(),
        }
    }

    #[test]
    fn what_is_sent_is_understood() {
        let to = name("q");
        let missed = [Missed::Forgotten(Some(Channel::All), heads()), Missed::Said(entry().into())];
        let records = vec![Record::Forgotten(Some(Channel::All), heads()), Record::Said(entry())];
        let last = Some(heads());
        let answer = Answer { to: to.clone(), number: 1, records: missed.into(), heads: last.clone() };
        let json = serde_json::to_vec(&message(Body::Missed(answer))).expect("JSON");
        let answer = Answer { to: to.clone(), number: 1, records, heads: last };
        assert_eq!(Message::decode(&json), Ok(message(Body::Missed(answer))));
        for body in [
            || Body::Status(Status { heads: heads(), changes: 1, hello: true }),
            || Body::Said(vec![entry()]),
            || Body::Changed(1, vec![Change { room: None, user: name("ann"), is_there: true }]),
            || {
                let people = vec![(Some(name("lobby")), vec![name("ann")])];
                Body::Everyone(Everyone { changes: 1, part: 0, last: true, people })
            },
            || Body::Ask(Ask { to: name("q"), number: 1, since: Some(heads()) }),
            || Body::Who { to: name("q") },
            || Body::Bye,
        ] {
            let json = serde_json::to_vec(&message::<Record>(body())).expect("JSON");
            assert_eq!(Message::decode(&json), Ok(message(body())));
        }
    }

    #[test]
    fn what_is_not_understood_is_left_aside() {
        let of =
            |version: u32, body: &str| format!(r#"{{"version":{version},"from":"p","run":1,"body":{body}}}"#);
        assert!(Message::decode(of(1, r#""bye""#).as_bytes()).is_ok());
        assert_eq!(Message::decode(of(2, r#""bye""#).as_bytes()), Err(Unknown::Version(2)));
        assert_eq!(Message::decode(of(2, r#"{"new":[1]}"#).as_bytes()), Err(Unknown::Version(2)));
        let heads: Vec<_> = (0..=MAX_POSITION).map(|n| format!(r#""p{n}":1"#)).collect();
        let long =
            of(1, &format!(r#"{{"status":{{"heads":{{{}}},"changes":0,"hello":false}}}}"#, heads.join(",")));
        for wrong in [
            "",
            "{}",
            "null",
            r#"{"version":1,"from":"a b","run":1,"body":"bye"}"#,
            &of(1, r#"{"new":[1]}"#),
            &of(1, r#"{"said":[{}]}"#),
            &long,
            &"[".repeat(100_000),
            &of(1, &format!(r#""bye"{}"#, " ".repeat(MAX_LEN))),
        ] {
            let cut = wrong.get(..60).unwrap_or(wrong);
            assert_eq!(Message::decode(wrong.as_bytes()), Err(Unknown::Malformed), "{cut}");
        }
        assert_eq!(Message::decode(b"\xff"), Err(Unknown::Malformed));
    }
}
