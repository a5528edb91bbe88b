//! The messages between the page and the server: JSON, one object per WebSocket message, told apart by its `type`.
//!
//! | the page sends | the server answers |
//! |---|---|
//! | `hello` first, with the token of its login | `welcome`, then `joined` for what is said to all and to this person |
//! | `join`, `leave` a room | `joined` with what was missed, `left` |
//! | `say` something, numbered by the page | `ack`, once it is stored |
//! | whatever is not done | `refused`, with the reason |
//!
//! The server tells by itself: `said`, `came` and `went` ([`Event`](crate::rooms::Event)).

use serde::{Deserialize, Serialize};

use crate::rooms::{Channel, ClientId, Name, Position, Refusal};

/// What a page asks for.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub enum Request {
    /// Comes first.
    Hello {
        /// The token of the login, which stands in the page.
        token: String,
        /// What the page calls itself, at random.
        client: ClientId,
        /// What it has read of what is said to all.
        all: Option<Position>,
        /// What it has read of what is said to this person.
        user: Option<Position>,
    },
    /// Join a room.
    Join {
        /// Which one.
        room: Name,
        /// What the page has read there.
        since: Option<Position>,
    },
    /// Leave a room.
    Leave {
        /// Which one.
        room: Name,
    },
    /// Say something.
    Say {
        /// The page's number for it. A message that is sent again has the same.
        id: u64,
        /// To whom.
        to: Channel,
        /// What.
        text: String,
        /// Whether this connection hears it as well.
        #[serde(default)]
        echo: bool,
    },
}

impl Request {
    /// What a refusal refers to.
    #[must_use]
    pub fn subject(&self) -> Subject {
        match self {
            Self::Hello { .. } => Subject::default(),
            Self::Join { room, .. } | Self::Leave { room } => Subject { room: Some(room.clone()), id: None },
            Self::Say { id, .. } => Subject { room: None, id: Some(*id) },
        }
    }
}

/// What the server answers to one page.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Reply<'a> {
    /// To `hello`.
    Welcome {
        /// Whom the login names.
        user: &'a Name,
        /// Whether this person may do what others may not.
        moderator: bool,
    },
    /// A message is stored.
    Ack {
        /// The page's number for it.
        id: u64,
        /// The process that accepted it.
        origin: &'a Name,
        /// Its number there.
        seq: u64,
        /// How many others were told at once; absent if it was said before.
        #[serde(skip_serializing_if = "Option::is_none")]
        reached: Option<usize>,
    },
    /// Something is not done.
    Refused {
        /// What.
        #[serde(flatten)]
        subject: Subject,
        /// Why, as a word.
        reason: Refusal,
        /// Why, as a sentence.
        text: String,
        /// After how many milliseconds to try again.
        #[serde(skip_serializing_if = "Option::is_none")]
        wait: Option<u64>,
    },
}

/// What a refusal refers to: a room or a message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Subject {
    /// The room to join or to leave.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub room: Option<Name>,
    /// The page's number of the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
}

/// The JSON of what the server says.
#[must_use]
pub fn encode(message: &impl Serialize) -> String {
    // Neither has maps with keys that are no text, nor anything else that JSON cannot say.
    serde_json::to_string(message).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests() {
        let join: Request =
            serde_json::from_str(r#"{"type":"join","room":"lobby","since":{"p":7}}"#).expect("a request");
        let since = Position::from([(Name::new("p").expect("a name"), 7)]);
        assert_eq!(join, Request::Join { room: Name::new("lobby").expect("a name"), since: Some(since) });
        let say: Request = serde_json::from_str(r#"{"type":"say","id":1,"to":{"user":"bob"},"text":"hi"}"#)
            .expect("a request");
        let to = Channel::User(Name::new("bob").expect("a name"));
        assert_eq!(say, Request::Say { id: 1, to, text: "hi".into(), echo: false });
        for wrong in [
            "",
            "{}",
            r#"{"type":"join"}"#,
            r#"{"type":"join","room":"a b"}"#,
            r#"{"type":"leave","room":"a","since":{}}"#,
            r#"{"type":"say","id":-1,"to":"all","text":"x"}"#,
            r#"{"type":"say","id":1,"to":"none","text":"x"}"#,
            r#"{"type":"hello","token":"x","client":"12"}"#,
            &"[".repeat(10_000),
        ] {
            assert!(serde_json::from_str::<Request>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn replies() {
        let subject = Subject { id: Some(3), room: None };
        let refused =
            Reply::Refused { subject, reason: Refusal::TooFast, text: "slowly".into(), wait: Some(250) };
        let json = r#"{"type":"refused","id":3,"reason":"too-fast","text":"slowly","wait":250}"#;
        assert_eq!(encode(&refused), json);
    }
}
