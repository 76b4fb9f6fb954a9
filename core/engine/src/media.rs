//! Audio and video: groups that their publisher begins, and their delivery to readers.
//!
//! A group is one subgroup stream; it ends, with END_OF_GROUP and FIN, when its publisher says so or begins the next. Newer groups go first
//! (descending group order). A group that is over is given up by reset where it takes longer than its
//! SUBGROUP_DELIVERY_TIMEOUT, and an open one where the queue has no room for it; the rest of it is counted and not
//! sent. Where no reader gets the group any more, its publisher is to begin another: an audio packet does so by itself,
//! a video frame has to be a keyframe.

use std::sync::atomic::Ordering;

use cc_fanout::queue::DropReason;
use cc_session::DataEnd;
use cc_wire::Location;

use crate::api::{Outgoing, SubscriptionId, Time, TrackId, TrackKind};
use crate::deliver::{hand, resume};
use crate::publish::{local_header, whole_object};
use crate::track::GroupKey;
use crate::Engine;

/// The group of a publication that goes on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Open {
    group: u64,
    /// The next object's id.
    next: u64,
}

impl Engine {
    /// A packet or an encoded frame of a publication.
    pub(crate) fn send_media(&mut self, out: Outgoing, now: Time) {
        let Some(publication) = self.publications.get_mut(&out.publication) else { return };
        let id = publication.track;
        let video = publication.config.kind == TrackKind::Video;
        let begins = out.new_group || (!video && publication.open.is_none());
        let mut over = None;
        if begins {
            over = publication.open.replace(Open { group: publication.next_group, next: 0 });
            publication.next_group += 1;
        }
        let Some(open) = &mut publication.open else {
            // Nothing can be made of a frame whose keyframe nobody has.
            publication.stats.drops[DropReason::Superseded as usize] += 1;
            publication.shared.broken.store(true, Ordering::Release);
            return;
        };
        let Open { group, next: object } = *open;
        open.next += 1;
        if out.end_group {
            publication.open = None;
        }
        let key = GroupKey::Local(group);
        if let Some(over) = over {
            self.close_group(id, GroupKey::Local(over.group), DataEnd::Fin, now);
        }
        if begins {
            // Any object of the group may carry properties, so the header says that all do.
            self.open_group(id, key, local_header(id, group, out.priority, true, true), now);
        }
        let header = whole_object(object, out.properties, out.payload.len());
        let taken = self.put_object(id, key, header, out.payload, now);
        if !taken || out.end_group {
            self.close_group(id, key, DataEnd::Fin, now);
        }
        if !taken {
            if let Some(publication) = self.publications.get_mut(&out.publication) {
                publication.open = None;
                publication.shared.broken.store(true, Ordering::Release);
            }
        }
    }

    /// A reader can make nothing of what it gets until a new group begins.
    pub(crate) fn want_group(&mut self, reader: SubscriptionId, id: TrackId) {
        let Some(track) = self.tracks.get_mut(&id) else { return };
        let after = track.largest.map_or(0, |largest| largest.group.saturating_add(1));
        if track.reader(reader).is_some() {
            self.new_group_wanted(id, after);
        }
    }

    /// Objects that are next in order; what comes too late is passed over.
    pub(crate) fn deliver_live(&mut self, id: TrackId, now: Time) {
        let Some(track) = self.tracks.get_mut(&id).filter(|track| track.traits.live()) else { return };
        let mut due: Option<Time> = None;
        for local in &mut track.locals {
            let (Some(mut live), Some(subscription)) =
                (local.live.take(), self.subscriptions.get_mut(&local.subscription))
            else {
                continue;
            };
            while let Some((delivery, gap)) = live.next(now) {
                resume(&mut self.events, local, id, delivery.group, now);
                local.last = Some(Location { group: delivery.group, object: delivery.object });
                let gap = gap | std::mem::take(&mut local.gap);
                hand(&mut self.deliveries, subscription, delivery, gap);
            }
            subscription.stats.superseded += live.take_dropped();
            due = due.into_iter().chain(live.deadline()).min();
            local.live = Some(live);
        }
        self.held_text.set(id, due);
    }
}
