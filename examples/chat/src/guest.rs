//! [`serve`]: one connection of a page, from its `hello` to its end.

use std::sync::Arc;
use std::time::Duration;

use tidewire::tokio::{Reader, WebSocket, Writer};
use tidewire::{CloseBody, CloseCode, Error, Message};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::login::{Keys, Login};
use crate::pace::{MAX_TOO_FAST, Pace};
use crate::protocol::{Reply, Request, Subject, encode};
use crate::rooms::{GuestId, Person, Refusal};
use crate::space::{Page, Receipt, Space, Way};

/// How long a page may take to say hello.
pub(crate) const HELLO_TIMEOUT: Duration = Duration::from_secs(10);

/// What a guest needs of the server.
#[derive(Clone, Debug)]
pub struct Host {
    /// The rooms.
    pub space: Arc<Space>,
    /// To recognise the token.
    pub keys: Keys,
    /// How fast people may go.
    pub pace: Arc<Pace>,
}

/// Serves a page until one of both sides ends the connection.
///
/// # Errors
/// How the connection ended, unless that was in order.
pub async fn serve(
    host: Host,
    login: Login,
    socket: WebSocket<TcpStream>,
    mut leaving: watch::Receiver<bool>,
) -> Result<(), Error> {
    let Some(person) = login.person().cloned() else { return Ok(()) };
    let (mut reader, writer) = socket.split();
    let guest = Guest { host: &host, login: &login, person, writer: &writer };
    let body = tokio::select! {
        end = guest.talk(&mut reader) => match end {
            End::Over(result) => return result,
            End::Close(body) => body,
        },
        _ = leaving.wait_for(|leaving| *leaving) => (CloseCode::GOING_AWAY, "the server restarts").into(),
    };
    // The reader writes the Close frame, and waits for the answer. It does not wait for long.
    writer.queue_close(body);
    while reader.recv().await?.is_some() {}
    Ok(())
}

/// How the talk ends.
enum End {
    /// The connection is over.
    Over(Result<(), Error>),
    /// It is to be closed.
    Close(CloseBody),
}

impl End {
    fn close(code: CloseCode, reason: &str) -> Self {
        Self::Close((code, reason).into())
    }
}

/// A guest in the rooms, which leaves them with the value: also when the task is dropped.
struct Presence<'a> {
    space: &'a Space,
    id: GuestId,
}

impl Drop for Presence<'_> {
    fn drop(&mut self) {
        self.space.with_rooms(|rooms| rooms.exit(self.id));
    }
}

struct Guest<'a> {
    host: &'a Host,
    login: &'a Login,
    person: Person,
    writer: &'a Writer<TcpStream>,
}

impl Guest<'_> {
    async fn talk(&self, reader: &mut Reader<TcpStream>) -> End {
        let Ok(first) = timeout(HELLO_TIMEOUT, text(reader)).await else {
            return End::close(CloseCode::POLICY_VIOLATION, "no hello in time");
        };
        let presence = match first.and_then(|text| self.enter(&text)) {
            Ok(presence) => presence,
            Err(end) => return end,
        };
        let mut too_fast = 0;
        loop {
            let text = match text(reader).await {
                Ok(text) => text,
                Err(end) => return end,
            };
            let answered = match self.host.pace.take(&self.person.name) {
                Ok(()) => {
                    too_fast = 0;
                    self.handle(&presence, &text).await
                }
                Err(wait) => {
                    too_fast += 1;
                    if too_fast > MAX_TOO_FAST {
                        return End::close(CloseCode::POLICY_VIOLATION, "too many messages");
                    }
                    self.refuse(subject(&text), Refusal::TooFast, Some(wait))
                }
            };
            if let Err(end) = answered {
                return end;
            }
            // What has been missed in one room has to leave before the next room is asked for.
            if let Err(error) = self.writer.ready().await {
                return End::Over(Err(error));
            }
        }
    }

    fn enter(&self, text: &str) -> Result<Presence<'_>, End> {
        let Ok(Request::Hello { token, client, all, user }) = serde_json::from_str(text) else {
            return Err(End::close(CloseCode::POLICY_VIOLATION, "hello comes first"));
        };
        if !self.host.keys.is_token_of(&token, self.login) {
            return Err(End::close(CloseCode::POLICY_VIOLATION, "the token is not of this login"));
        }
        self.reply(&Reply::Welcome { user: &self.person.name, moderator: self.person.is_moderator })?;
        let space = &*self.host.space;
        let page = Way::Page(Page(self.writer.clone()));
        let entered = space
            .with_rooms(|rooms| rooms.enter(self.person.clone(), client, page, all.as_ref(), user.as_ref()));
        match entered {
            Ok(id) => Ok(Presence { space, id }),
            Err(refusal) => {
                self.refuse(Subject::default(), refusal, None)?;
                Err(End::close(CloseCode::TRY_AGAIN_LATER, &refusal.to_string()))
            }
        }
    }

    /// Does what a message asks for. What is not done is refused, and the connection goes on.
    async fn handle(&self, Presence { space, id: guest }: &Presence<'_>, text: &str) -> Result<(), End> {
        let request = match serde_json::from_str::<Request>(text) {
            Ok(request) => request,
            Err(error) => {
                let (subject, reason) = (Subject::default(), Refusal::Malformed);
                return self.reply(&Reply::Refused {
                    subject,
                    reason,
                    text: format!("{reason}: {error}"),
                    wait: None,
                });
            }
        };
        let subject = request.subject();
        let done = match request {
            Request::Hello { .. } => Err(Refusal::AlreadyThere),
            Request::Join { room, since } => {
                space.with_rooms(|rooms| rooms.join(*guest, &room, since.as_ref())).map(|_| None)
            }
            Request::Leave { room } => space.with_rooms(|rooms| rooms.leave(*guest, &room)).map(|_| None),
            Request::Say { id, to, text, echo } => {
                space.say(*guest, id, to, text, echo).map(|receipt| Some((id, receipt)))
            }
        };
        match done {
            Ok(None) => Ok(()),
            Ok(Some((id, receipt))) => {
                space.published(&receipt).await;
                let Receipt { origin, seq, reached } = receipt;
                self.reply(&Reply::Ack { id, origin: &origin, seq, reached })
            }
            Err(refusal) => self.refuse(subject, refusal, None),
        }
    }

    fn refuse(&self, subject: Subject, reason: Refusal, wait: Option<Duration>) -> Result<(), End> {
        let wait = wait.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).saturating_add(1));
        self.reply(&Reply::Refused { subject, reason, text: reason.to_string(), wait })
    }

    fn reply(&self, reply: &Reply<'_>) -> Result<(), End> {
        let queued = self.writer.queue(encode(reply));
        queued.map_err(|_| End::close(CloseCode::TRY_AGAIN_LATER, "too slow"))
    }
}

/// The next message, which has to be text.
async fn text(reader: &mut Reader<TcpStream>) -> Result<String, End> {
    match reader.recv().await {
        Ok(Some(Message::Text(text))) => Ok(text),
        Ok(Some(Message::Binary(_))) => {
            Err(End::close(CloseCode::UNSUPPORTED_DATA, "only text is understood"))
        }
        Ok(None) => Err(End::Over(Ok(()))),
        Err(error) => Err(End::Over(Err(error))),
    }
}

/// What a refusal refers to that comes before the message is looked at.
fn subject(text: &str) -> Subject {
    serde_json::from_str::<Request>(text).map(|request| request.subject()).unwrap_or_default()
}
