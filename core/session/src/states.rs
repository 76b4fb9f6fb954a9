//! What may be said on a request stream, as tables. Everything that has no row is a
//! PROTOCOL_VIOLATION when it comes from the peer, and [`NotAllowed`](crate::CommandError) when
//! the owner asks for it.
//!
//! A request is seen from one side: the `Requester` opened its stream, the `Responder` answers.
//! For SUBSCRIBE the requester subscribes and the responder publishes; for PUBLISH the other way
//! round. Both sides have the same two phases: `Pending` until the first answer, then
//! `Established`. What ends a request needs no phase: its key is dead.

/// The first message of the request stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Subscribe,
    Publish,
    PublishNamespace,
    SubscribeNamespace,
    SubscribeTracks,
    TrackStatus,
    Fetch,
}

/// Which end of the request this session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Requester,
    Responder,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Pending,
    Established,
}

/// A message after the first one, by what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Ok,
    SubscribeOk,
    FetchOk,
    Error,
    Update,
    Done,
    Notify,
    Namespace,
    NamespaceDone,
    Blocked,
    Goaway,
}

/// What a received message means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// The request is granted.
    Accepted,
    /// The request is refused, and over.
    Refused,
    /// Our oldest unanswered update is granted or refused; a violation when there is none.
    UpdateAnswer,
    /// The peer changes the request.
    Update,
    /// The publisher has ended the subscription.
    Done,
    /// The publisher tells of a change.
    Notify,
    Namespace,
    NamespaceDone,
    Blocked,
    Goaway,
}

/// What the owner may do with a live request, besides cancelling it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Answer,
    Update,
    Done,
    Notify,
    Namespace,
    Blocked,
}

/// What the end of the peer's direction means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fin {
    /// The request is over.
    Ends,
    /// The peer has nothing more to say, and the request lives on.
    HalfClosed,
}

use Kind::*;
use Phase::*;
use Side::*;

type Row = (Kind, Side, Phase, &'static [(Said, Meaning)]);

/// (kind, our side, phase) and what the peer may say then. GOAWAY may come once at any time.
const RECEIVE: &[Row] = &[
    (Subscribe, Requester, Pending, &[(Said::SubscribeOk, Meaning::Accepted), (Said::Error, Meaning::Refused)]),
    (
        Subscribe,
        Requester,
        Established,
        &[ANSWER_OK, ANSWER_ERROR, (Said::Done, Meaning::Done), (Said::Notify, Meaning::Notify)],
    ),
    (Subscribe, Responder, Pending, &[UPDATE]),
    (Subscribe, Responder, Established, &[UPDATE]),
    (Publish, Requester, Pending, &[(Said::Ok, Meaning::Accepted), (Said::Error, Meaning::Refused)]),
    (Publish, Requester, Established, &[UPDATE, ANSWER_OK, ANSWER_ERROR]),
    (Publish, Responder, Pending, &[UPDATE, (Said::Done, Meaning::Done), (Said::Notify, Meaning::Notify)]),
    (
        Publish,
        Responder,
        Established,
        &[UPDATE, ANSWER_OK, ANSWER_ERROR, (Said::Done, Meaning::Done), (Said::Notify, Meaning::Notify)],
    ),
    (PublishNamespace, Requester, Pending, &[(Said::Ok, Meaning::Accepted), (Said::Error, Meaning::Refused)]),
    (PublishNamespace, Requester, Established, &[ANSWER_OK, ANSWER_ERROR]),
    (PublishNamespace, Responder, Pending, &[UPDATE]),
    (PublishNamespace, Responder, Established, &[UPDATE]),
    (SubscribeNamespace, Requester, Pending, &[(Said::Ok, Meaning::Accepted), (Said::Error, Meaning::Refused)]),
    (
        SubscribeNamespace,
        Requester,
        Established,
        &[
            ANSWER_OK,
            ANSWER_ERROR,
            (Said::Namespace, Meaning::Namespace),
            (Said::NamespaceDone, Meaning::NamespaceDone),
        ],
    ),
    (SubscribeNamespace, Responder, Pending, &[UPDATE]),
    (SubscribeNamespace, Responder, Established, &[UPDATE]),
    (SubscribeTracks, Requester, Pending, &[(Said::Ok, Meaning::Accepted), (Said::Error, Meaning::Refused)]),
    (SubscribeTracks, Requester, Established, &[ANSWER_OK, ANSWER_ERROR, (Said::Blocked, Meaning::Blocked)]),
    (SubscribeTracks, Responder, Pending, &[UPDATE]),
    (SubscribeTracks, Responder, Established, &[UPDATE]),
    // TRACK_STATUS is over with its answer, on both sides.
    (TrackStatus, Requester, Pending, &[(Said::Ok, Meaning::Accepted), (Said::Error, Meaning::Refused)]),
    (TrackStatus, Responder, Pending, &[]),
    (Fetch, Requester, Pending, &[(Said::FetchOk, Meaning::Accepted), (Said::Error, Meaning::Refused)]),
    (Fetch, Requester, Established, &[ANSWER_OK, ANSWER_ERROR]),
    (Fetch, Responder, Pending, &[UPDATE]),
    (Fetch, Responder, Established, &[UPDATE]),
];

const UPDATE: (Said, Meaning) = (Said::Update, Meaning::Update);
const ANSWER_OK: (Said, Meaning) = (Said::Ok, Meaning::UpdateAnswer);
const ANSWER_ERROR: (Said, Meaning) = (Said::Error, Meaning::UpdateAnswer);

/// (command, kind, our side, phases in which the owner may give it).
const COMMANDS: &[(Command, Kind, Side, &[Phase])] = &[
    (Command::Answer, Subscribe, Responder, &[Pending]),
    (Command::Answer, Publish, Responder, &[Pending]),
    (Command::Answer, PublishNamespace, Responder, &[Pending]),
    (Command::Answer, SubscribeNamespace, Responder, &[Pending]),
    (Command::Answer, SubscribeTracks, Responder, &[Pending]),
    (Command::Answer, TrackStatus, Responder, &[Pending]),
    (Command::Answer, Fetch, Responder, &[Pending]),
    (Command::Update, Subscribe, Requester, &[Pending, Established]),
    (Command::Update, Publish, Requester, &[Pending, Established]),
    (Command::Update, Publish, Responder, &[Established]),
    (Command::Update, PublishNamespace, Requester, &[Pending, Established]),
    (Command::Update, SubscribeNamespace, Requester, &[Pending, Established]),
    (Command::Update, SubscribeTracks, Requester, &[Pending, Established]),
    (Command::Update, Fetch, Requester, &[Pending, Established]),
    (Command::Done, Subscribe, Responder, &[Established]),
    (Command::Done, Publish, Requester, &[Pending, Established]),
    (Command::Notify, Subscribe, Responder, &[Established]),
    (Command::Notify, Publish, Requester, &[Established]),
    (Command::Namespace, SubscribeNamespace, Responder, &[Established]),
    (Command::Blocked, SubscribeTracks, Responder, &[Established]),
];

/// What a message means here; `None` is a violation.
pub(crate) fn receive(kind: Kind, side: Side, phase: Phase, said: Said) -> Option<Meaning> {
    if said == Said::Goaway {
        return Some(Meaning::Goaway);
    }
    let row = RECEIVE.iter().find(|row| (row.0, row.1, row.2) == (kind, side, phase))?;
    row.3.iter().find(|entry| entry.0 == said).map(|entry| entry.1)
}

/// Whether the owner may do this now.
pub(crate) fn allowed(command: Command, kind: Kind, side: Side, phase: Phase) -> bool {
    COMMANDS.iter().any(|row| (row.0, row.1, row.2) == (command, kind, side) && row.3.contains(&phase))
}

/// What the peer's FIN means. Until -18 a requester's FIN cancels its request; later drafts let
/// it finish early and go on listening.
pub(crate) fn fin(kind: Kind, side: Side, phase: Phase, fin_cancels: bool) -> Fin {
    match (kind, side, phase) {
        // A publisher owes PUBLISH_DONE before its FIN: without it the subscription has failed.
        (Publish, Responder, _) => Fin::Ends,
        (_, Responder, _) if fin_cancels => Fin::Ends,
        (_, Responder, _) => Fin::HalfClosed,
        (_, Requester, Pending) => Fin::Ends,
        // The subscriber will send no updates; a FETCH ends with its data.
        (Publish | Fetch, Requester, Established) => Fin::HalfClosed,
        (_, Requester, Established) => Fin::Ends,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [Kind; 7] =
        [Subscribe, Publish, PublishNamespace, SubscribeNamespace, SubscribeTracks, TrackStatus, Fetch];

    #[test]
    fn every_row_is_there_once() {
        for kind in KINDS {
            for side in [Requester, Responder] {
                for phase in [Pending, Established] {
                    let rows = RECEIVE.iter().filter(|row| (row.0, row.1, row.2) == (kind, side, phase)).count();
                    let over = kind == TrackStatus && phase == Established;
                    assert_eq!(rows, usize::from(!over), "{kind:?} {side:?} {phase:?}");
                }
            }
        }
    }

    #[test]
    fn only_a_responder_answers_and_only_once() {
        for kind in KINDS {
            assert!(allowed(Command::Answer, kind, Responder, Pending));
            assert!(!allowed(Command::Answer, kind, Responder, Established));
            assert!(!allowed(Command::Answer, kind, Requester, Pending));
        }
    }

    #[test]
    fn what_one_side_may_do_the_other_may_receive() {
        for (command, kind, side, phases) in COMMANDS {
            let said = match command {
                Command::Answer => continue,
                Command::Update => Said::Update,
                Command::Done => Said::Done,
                Command::Notify => Said::Notify,
                Command::Namespace => Said::Namespace,
                Command::Blocked => Said::Blocked,
            };
            let other = if *side == Requester { Responder } else { Requester };
            for phase in *phases {
                assert!(receive(*kind, other, *phase, said).is_some(), "{command:?} {kind:?} {side:?} {phase:?}");
            }
        }
    }
}
