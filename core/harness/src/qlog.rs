//! What connections of a world write as qlog: kept per connection, each bounded, until the owner asks.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use cc_engine::{QlogOpen, Time};
use serde::Serialize;

use crate::recorder::PlaceId;

/// Most bytes kept of one connection: its beginning.
const MOST: usize = 4 << 20;
/// Most connections; later ones have none.
const CONNECTIONS: usize = 1_000;

/// One connection's.
#[derive(Debug, Default, Serialize)]
struct Page {
    place: PlaceId,
    port: u16,
    /// Whether this side was dialled.
    server: bool,
    /// When the node was opened, from which the times in it count, microseconds.
    began: Time,
    /// More came than was kept.
    cut: bool,
    /// JSON text sequences.
    text: String,
}

/// Every connection's.
#[derive(Debug, Clone, Default)]
pub(crate) struct Book(Arc<Mutex<Vec<Page>>>);

impl Book {
    /// What a node's connections are opened with.
    pub(crate) fn open(&self, place: PlaceId, port: u16, began: Time) -> QlogOpen {
        let pages = self.0.clone();
        Arc::new(move |server| {
            let mut book = pages.lock().unwrap_or_else(PoisonError::into_inner);
            if book.len() >= CONNECTIONS {
                return None;
            }
            book.push(Page { place, port, server, began, ..Page::default() });
            Some(Box::new(Pen { book: pages.clone(), page: book.len() - 1 }))
        })
    }

    /// All of them, as JSON.
    pub(crate) fn told(&self) -> serde_json::Value {
        serde_json::json!(*self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

struct Pen {
    book: Arc<Mutex<Vec<Page>>>,
    page: usize,
}

impl Write for Pen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        let page = &mut book[self.page];
        page.cut |= page.text.len() + bytes.len() > MOST;
        if !page.cut {
            page.text.push_str(&String::from_utf8_lossy(bytes));
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
