//! A frame that goes out for an owner who says nothing: what keeps another protocol's peers content while the owner's
//! thread loads a scene or stands in a debugger.
//!
//! Once a publication's owner has sent nothing for `silence`, the frame goes out, and again each `every`, until the
//! owner sends something or has been silent for `limit`. A frame of the owner's only notes when it came: the timer
//! looks when it is due, so that sending costs nothing for it.

use bytes::Bytes;

use crate::api::{Outgoing, PublicationId, Repeat, Time};
use crate::publish::Publication;
use crate::Engine;

/// A publication's repeated frame.
#[derive(Debug)]
pub(crate) struct Repeating {
    what: Repeat,
    /// When the owner last sent, or asked for this.
    spoke: Time,
    /// When it is next looked at; none while the owner's silence has outlasted the limit.
    due: Option<Time>,
}

impl Repeating {
    /// The owner has sent; true if the timer rests and has to be set.
    pub(crate) fn heard(&mut self, now: Time) -> bool {
        self.spoke = now;
        self.due.is_none()
    }

    /// What is to be done at `now`: whether the frame goes out, and when to look again.
    fn look(&self, now: Time) -> (bool, Option<Time>) {
        let end = self.what.limit.map(|limit| self.spoke.saturating_add(limit));
        let begins = self.spoke.saturating_add(self.what.silence);
        if end.is_some_and(|end| now >= end) {
            return (false, None);
        }
        if now < begins {
            return (false, Some(begins));
        }
        (true, Some(now.saturating_add(self.what.every)))
    }
}

impl Engine {
    /// Repeats a frame on a publication from now on, in place of the one before; none: no longer.
    pub(crate) fn repeat(&mut self, id: PublicationId, what: Option<Repeat>, now: Time) {
        let Some(publication) = self.publications.get_mut(&id) else { return };
        if let Some(due) = publication.repeat.take().and_then(|old| old.due) {
            self.repeats.remove(&(due, id));
        }
        if let Some(what) = what {
            publication.repeat = Some(Repeating { what, spoke: now, due: None });
            self.set_repeat(id, now);
        }
    }

    /// Sets the timer of a repeated frame anew.
    pub(crate) fn set_repeat(&mut self, id: PublicationId, now: Time) {
        let Some(repeat) = self.publications.get_mut(&id).and_then(|publication| publication.repeat.as_mut()) else {
            return;
        };
        let (_, due) = repeat.look(now);
        if let Some(old) = std::mem::replace(&mut repeat.due, due) {
            self.repeats.remove(&(old, id));
        }
        if let Some(new) = due {
            self.repeats.insert((new, id));
        }
    }

    /// A publication that ends takes its repeated frame with it.
    pub(crate) fn forget_repeat(&mut self, id: PublicationId, publication: &Publication) {
        if let Some(due) = publication.repeat.as_ref().and_then(|repeat| repeat.due) {
            self.repeats.remove(&(due, id));
        }
    }

    /// When the next repeated frame is to be looked at.
    pub(crate) fn next_repeat(&self) -> Option<Time> {
        self.repeats.first().map(|(due, _)| *due)
    }

    /// Sends the repeated frames that are due.
    pub(crate) fn repeats_timeout(&mut self, now: Time) {
        while let Some((due, id)) = self.repeats.first().copied() {
            if due > now {
                break;
            }
            self.repeats.pop_first();
            let Some(repeat) = self.publications.get_mut(&id).and_then(|publication| publication.repeat.as_mut())
            else {
                continue;
            };
            let (goes, next) = repeat.look(now);
            repeat.due = next;
            if let Some(next) = next {
                self.repeats.insert((next, id));
            }
            if goes {
                let out = Outgoing {
                    publication: id,
                    payload: repeat.what.payload.clone(),
                    properties: Bytes::new(),
                    priority: repeat.what.priority,
                    // The next takes its place.
                    ttl: Some(repeat.what.every),
                    new_group: false,
                    end_group: false,
                };
                self.put(out, now);
            }
        }
    }
}
