//! [`Handles`]: which writer a message belongs to that is sent in fragments.

use crate::{CloseCode, Outgoing, SendError, Sender};

/// Tells the writers of one connection apart. The first has the default, and goes on with a message that was under way before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Handle(u32);

/// RFC 6455 5.4: fragments of different messages are not interleaved, so a message belongs to the writer that began it.
#[derive(Debug, Default)]
pub(crate) struct Handles {
    last: Handle,
    /// The writer that began the message under way.
    owner: Handle,
}

impl Handles {
    /// A handle for one more writer.
    pub(crate) fn add(&mut self) -> Handle {
        self.last.0 = self.last.0.wrapping_add(1);
        self.last
    }

    /// Queues a fragment.
    pub(crate) fn queue_fragment(
        &mut self,
        handle: Handle,
        sender: &mut Sender,
        part: Outgoing<'_>,
        last: bool,
    ) -> Result<(), SendError> {
        sender.check()?;
        if sender.is_fragmented() && self.owner != handle {
            return Err(SendError::UnfinishedMessage);
        }
        sender.send_fragment(part, last)?;
        self.owner = handle;
        Ok(())
    }

    /// A writer is gone: nobody can end the message that it began.
    pub(crate) fn remove(&self, handle: Handle, sender: &mut Sender) {
        if sender.is_fragmented() && self.owner == handle {
            sender.close(CloseCode::INTERNAL_ERROR);
        }
    }
}
