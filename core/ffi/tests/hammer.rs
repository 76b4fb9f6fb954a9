//! Four threads on the same nodes, each at another thing, while handles come and go under them.
#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "each block is one call of the ABI with arguments that outlive it"
)]

mod common;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use clutchcall_core_ffi::generated::*;
use clutchcall_core_ffi::*;
use common::*;

/// Statuses that a handle closed by another thread may give.
fn fair(status: i32) {
    assert!([status::OK, status::BAD_HANDLE, status::CLOSED].contains(&status), "{status}: {}", last_error());
}

/// Ends the threads' work.
struct StopAtEnd<'a>(&'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Publishes, subscribes, sends and ends it all, on a node that may be closed at any point.
fn come_and_go(server: u64) {
    let track = CcTrackConfig { kind: kind::TEXT, ns: text("b"), name: text("brief"), ..CcTrackConfig::EMPTY };
    let watch = CcSubscribeConfig { ns: text("b"), ..CcSubscribeConfig::EMPTY };
    let (mut publication, mut subscription) = (0, 0);
    unsafe {
        fair(cc_publish(server, &track, &mut publication));
        fair(cc_subscribe(server, &watch, &mut subscription));
        let hello = frame(publication, b"hello", &[], 1);
        fair(cc_send(&hello, 1, std::ptr::null_mut()));
        fair(cc_subscribe_close(subscription));
        fair(cc_publish_close(publication));
    }
}

#[test]
fn send_poll_drain_stats_and_close_at_once() {
    let certificate = Certificate::new();
    let relay = Node::relay(&certificate, node_flags::OPEN);
    let mut client = Node::client();
    let link = client.join(&relay, &certificate, "");
    let feed = subscribe(link, "a", None, "");
    client.event(event::SUBSCRIBE_OK, feed);
    let unread = subscribe(link, "a", None, "");
    client.event(event::SUBSCRIBE_OK, unread);
    let track = publish(relay.handle, kind::FRAME_DATAGRAM, "a", "steady", "");
    let (node, server) = (client.handle, relay.handle);
    let stop = AtomicBool::new(false);
    let received = AtomicU64::new(0);
    // A batch is valid until its subscription is closed, so who reads one keeps the node from being closed.
    let reading = Mutex::new(());
    let until = |stop: &AtomicBool, mut work: Box<dyn FnMut() + '_>| {
        while !stop.load(Ordering::Relaxed) {
            work();
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| {
            let payload = [7; 300];
            until(
                &stop,
                Box::new(|| {
                    let frames = [frame(track, &payload, &[], 1), frame(track, &payload[..10], &[], 200)];
                    fair(unsafe { cc_send(frames.as_ptr(), 2, std::ptr::null_mut()) });
                }),
            );
        });
        scope.spawn(|| {
            until(
                &stop,
                Box::new(|| {
                    for node in [node, server] {
                        let mut events = [CcEvent::EMPTY; 8];
                        let mut count = 0;
                        fair(unsafe { cc_node_poll(node, events.as_mut_ptr(), 8, &mut count) });
                    }
                    let mut batch = CcBatch::EMPTY;
                    fair(unsafe { cc_drain(unread, &mut batch) });
                    let _reading = reading.lock();
                    let mut batch = CcBatch::EMPTY;
                    fair(unsafe { cc_drain(feed, &mut batch) });
                    for frame in copy(&batch).iter().filter(|frame| frame.priority == 1) {
                        assert_eq!(frame.payload, [7; 300]);
                    }
                    received.fetch_add(u64::from(batch.count), Ordering::Relaxed);
                }),
            );
        });
        scope.spawn(|| {
            until(
                &stop,
                Box::new(|| {
                    let mut stats = CcNodeStats::EMPTY;
                    fair(unsafe { cc_node_stats(server, &mut stats) });
                    let mut stats = CcLinkStats::EMPTY;
                    fair(unsafe { cc_link_stats(link, &mut stats) });
                    let mut stats = CcTrackStats::EMPTY;
                    fair(unsafe { cc_track_stats(track, &mut stats) });
                    let mut stats = CcSubscriptionStats::EMPTY;
                    fair(unsafe { cc_subscription_stats(feed, &mut stats) });
                }),
            );
        });
        scope.spawn(|| {
            until(
                &stop,
                Box::new(|| {
                    come_and_go(server);
                    let brief = Node::client();
                    let link = brief.dial("moqt://127.0.0.1:9", &certificate, "", b"");
                    fair(unsafe { cc_link_close(link, reason::LOCAL, CcStr::EMPTY) });
                }),
            );
        });
        // Also when a wait below fails: the scope waits for its threads.
        let _stop = StopAtEnd(&stop);
        let began = Instant::now();
        while received.load(Ordering::Relaxed) < 200 {
            assert!(began.elapsed() < PATIENCE, "{} frames came", received.load(Ordering::Relaxed));
            thread::park_timeout(Duration::from_millis(20));
        }
        // The nodes go while all four are at work.
        ok(unsafe { cc_node_close(server) });
        let _reading = reading.lock();
        ok(unsafe { cc_node_close(node) });
    });
}
