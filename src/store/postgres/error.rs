//! Errors of the server and of the connection: what they mean for an operation, and whether it may run again.

use std::error::Error as _;

use deadpool_postgres::{HookError, PoolError, TimeoutType};
use tokio_postgres::Error;

use crate::store::StoreError;

/// What is known of a transaction that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It did not happen, and the same transaction may succeed at once.
    Undone,
    /// It may have been committed: the connection broke.
    Unknown,
    /// It did not happen, by a decision of a function: the code of its exception.
    Refused(String),
    /// It did not happen: there is a row with the same key.
    Taken,
    /// It did not happen: a text has a character that the server can't store.
    Unstorable,
    /// It did not happen.
    Failed,
}

/// Why a statement failed.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) error: StoreError,
    pub(crate) fate: Fate,
    /// Whether the connection is of no more use.
    pub(crate) spent: bool,
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

/// A value that does not have the expected form, or another error of a statement that was prepared.
impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        Failure::from(error).error
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let Some(code) = error.code() else { return without_code(&error) };
        let text = text(&error);
        let failed = |error| Self { error, fate: Fate::Failed, spent: false };
        match code.code() {
            "40001" | "40P01" => Self { fate: Fate::Undone, ..failed(StoreError::Unavailable(text)) },
            // The server or an administrator ends the connection, or the server is starting.
            "57P01" | "57P02" | "57P03" | "57P05" => {
                Self { error: StoreError::Unavailable(text), fate: Fate::Undone, spent: true }
            }
            // A server that has become a standby.
            "25006" => Self { error: StoreError::ReadOnly(text), fate: Fate::Undone, spent: true },
            "22021" => Self { fate: Fate::Unstorable, ..failed(StoreError::Corrupt(text)) },
            "23505" => Self { fate: Fate::Taken, ..failed(StoreError::Corrupt(text)) },
            "53100" => failed(StoreError::Full(text)),
            "XX001" | "XX002" => failed(StoreError::Damaged(text)),
            code if code.starts_with("CS") => {
                Self { fate: Fate::Refused(code.to_owned()), ..failed(StoreError::Corrupt(text)) }
            }
            code if ["08", "28", "42", "53", "55", "57", "58"].iter().any(|class| code.starts_with(class)) => {
                failed(StoreError::Unavailable(text))
            }
            _ => failed(StoreError::Corrupt(text)),
        }
    }
}

/// An error of the connection, or of a value.
fn without_code(error: &Error) -> Failure {
    let io = error.source().is_some_and(|source| source.is::<std::io::Error>());
    if io || error.is_closed() {
        return Failure { error: StoreError::Unavailable(text(error)), fate: Fate::Unknown, spent: true };
    }
    Failure { error: StoreError::Corrupt(text(error)), fate: Fate::Failed, spent: false }
}

/// No connection: nothing has begun.
impl From<PoolError> for Failure {
    fn from(error: PoolError) -> Self {
        let (text, fate) = match error {
            PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => {
                let refused = error.code().is_some_and(|code| code.code().starts_with("28"));
                (text(&error), if refused { Fate::Failed } else { Fate::Undone })
            }
            PoolError::Timeout(TimeoutType::Wait) => ("all connections are in use".to_owned(), Fate::Failed),
            PoolError::Timeout(_) => ("the server does not answer".to_owned(), Fate::Failed),
            error => (error.to_string(), Fate::Failed),
        };
        Self { error: StoreError::Unavailable(text), fate, spent: false }
    }
}

/// An error in words, without values of rows: the server's message, or the causes of an error of the connection.
pub(crate) fn text(error: &Error) -> String {
    if let Some(said) = error.as_db_error() {
        return format!("{} ({})", said.message(), said.code().code());
    }
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
