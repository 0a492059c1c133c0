//! Attempts to enter by the break-glass account: passwords are hashed one at a time, off the threads that serve requests, and
//! few wait for it, so that strangers can use up neither processors nor memory. Counts what came of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio::sync::Semaphore;

use crate::snapshot::break_glass::BreakGlass;

/// The most attempts at once: the one whose password is hashed, and those that wait for it.
const WAITING: usize = 32;

/// What came of attempts since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Somebody signed in.
    pub signed_in: u64,
    /// The username or the password was wrong, or the account is disabled.
    pub refused: u64,
    /// Not looked at, because there were too many.
    pub delayed: u64,
    /// Passwords that were hashed.
    pub hashed: u64,
}

/// Attempts that are under way, and the counts.
#[derive(Debug)]
pub struct Attempts {
    one: Arc<Semaphore>,
    waiting: AtomicUsize,
    signed_in: AtomicU64,
    refused: AtomicU64,
    delayed: AtomicU64,
    hashed: AtomicU64,
}

impl Default for Attempts {
    fn default() -> Self {
        Self {
            one: Arc::new(Semaphore::new(1)),
            waiting: AtomicUsize::default(),
            signed_in: AtomicU64::default(),
            refused: AtomicU64::default(),
            delayed: AtomicU64::default(),
            hashed: AtomicU64::default(),
        }
    }
}

/// Too many attempts wait already, or there is not enough memory: this one was not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

/// Counts an attempt that waits, until it is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Attempts {
    /// Compares a password with the account's hashes, after those that came before. Returns the proof of the hash that it
    /// belongs to.
    ///
    /// # Errors
    /// When too many wait, or there is not enough memory.
    pub async fn verify(&self, account: &BreakGlass, password: String) -> Result<Option<String>, Busy> {
        let before = self.waiting.fetch_add(1, Ordering::SeqCst);
        let _waiting = Waiting(&self.waiting);
        if before >= WAITING {
            return Err(Busy);
        }
        let turn = Arc::clone(&self.one).acquire_owned().await.map_err(|_| Busy)?;
        self.hashed.fetch_add(1, Ordering::Relaxed);
        let account = account.clone();
        // The turn ends with the work, whether or not the browser still waits for it.
        let hashing = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            account.verify(&password)
        });
        match hashing.await {
            Ok(Ok(proof)) => Ok(proof),
            Ok(Err(_)) | Err(_) => Err(Busy),
        }
    }

    /// Counts a sign-in.
    pub fn signed_in(&self) {
        self.signed_in.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a refusal.
    pub fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts an attempt that was not looked at.
    pub fn delayed(&self) {
        self.delayed.fetch_add(1, Ordering::Relaxed);
    }

    /// What came of attempts since the start.
    #[must_use]
    pub fn figures(&self) -> Figures {
        Figures {
            signed_in: self.signed_in.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            delayed: self.delayed.load(Ordering::Relaxed),
            hashed: self.hashed.load(Ordering::Relaxed),
        }
    }
}
