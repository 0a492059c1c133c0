//! The connections, and how a statement runs on one: prepared once for each connection, bounded in time, and again where an
//! earlier attempt did not happen.

use std::time::Duration;

use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Object, Pool, QueueMode, RecyclingMethod, Runtime};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::store::StoreError;
use crate::store::postgres::error::{Failure, Fate};
use crate::store::postgres::schema::call;
use crate::store::postgres::target::Target;
use crate::store::postgres::tls::MakeTls;

/// How often a statement runs at most.
const ATTEMPTS: u32 = 4;
/// The pause before the second attempt; each further one is four times as long.
const PAUSE: Duration = Duration::from_millis(15);
/// What an answer may take beyond the server's own limit, before the connection is given up.
const GRACE: Duration = Duration::from_secs(2);

/// The condition, always true, that makes a write survive the end of the broker, but perhaps not that of the database server:
/// `passing` of the functions, for statements that are not functions.
macro_rules! passing {
    () => {
        "set_config('synchronous_commit', 'off', true) IS NOT NULL"
    };
}
pub(crate) use passing;

/// A parameter of a statement.
pub(crate) type Parameter<'p> = &'p (dyn ToSql + Sync);

/// What follows when it is unknown whether a statement was committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// It runs again: the second time changes nothing, and has the same result.
    Harmless,
    /// It fails.
    Never,
}

/// The connections to a database.
pub(crate) struct Database {
    pool: Pool,
    answer_within: Duration,
}

impl Database {
    /// Connections that are made when they are needed.
    ///
    /// # Errors
    /// In words that follow `store.url`.
    pub(crate) fn of(target: &Target) -> Result<Self, String> {
        // Every statement of a sign-in finds its rows by an index. PostgreSQL reads a table whole that was empty when it was last
        // analysed, and goes on with it while the table grows, until the next automatic analysis.
        let settings = format!(
            "SET enable_seqscan = off; SET statement_timeout = {}; SET lock_timeout = {}; SET idle_in_transaction_session_timeout = {};",
            target.statement_timeout.as_millis(),
            target.lock_timeout.as_millis(),
            target.statement_timeout.as_millis(),
        );
        let manager = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(target.config.clone(), MakeTls::of(target)?, manager);
        let settled = Hook::async_fn(move |connection: &mut deadpool_postgres::ClientWrapper, _| {
            let settings = settings.clone();
            Box::pin(async move { connection.batch_execute(&settings).await.map_err(HookError::Backend) })
        });
        let pool = Pool::builder(manager)
            .max_size(target.connections)
            // The connection that was used last: its server process has its plans and its tables' entries in a core's cache.
            // Used in turn, all connections would lose them.
            .queue_mode(QueueMode::Lifo)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(target.statement_timeout))
            .create_timeout(Some(target.statement_timeout))
            .post_create(settled)
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self { pool, answer_within: target.statement_timeout.saturating_add(GRACE) })
    }

    /// A connection.
    pub(crate) async fn connection(&self) -> Result<Object, Failure> {
        Ok(self.pool.get().await?)
    }

    /// How many callers wait for a connection.
    pub(crate) fn waiting(&self) -> usize {
        self.pool.status().waiting
    }

    /// How long a statement may take.
    pub(crate) const fn answer_within(&self) -> Duration {
        self.answer_within
    }

    /// Calls a function.
    pub(crate) async fn call(
        &self,
        function: &str,
        parameters: &[Parameter<'_>],
        repeat: Repeat,
    ) -> Result<Vec<Row>, Failure> {
        self.run(&call(function, parameters.len()), parameters, repeat).await
    }

    /// Runs a statement that only reads.
    pub(crate) async fn read(&self, statement: &str, parameters: &[Parameter<'_>]) -> Result<Vec<Row>, Failure> {
        match self.run(statement, parameters, Repeat::Harmless).await {
            // No row has such a text, so that none is found by it.
            Err(Failure { fate: Fate::Unstorable, .. }) => Ok(Vec::new()),
            answer => answer,
        }
    }

    /// Runs a statement.
    pub(crate) async fn run(
        &self,
        statement: &str,
        parameters: &[Parameter<'_>],
        repeat: Repeat,
    ) -> Result<Vec<Row>, Failure> {
        let (mut attempt, mut pause) = (1, PAUSE);
        loop {
            let failure = match self.attempt(statement, parameters).await {
                Ok(rows) => return Ok(rows),
                Err(failure) => failure,
            };
            let again = match failure.fate {
                Fate::Undone => true,
                Fate::Unknown => repeat == Repeat::Harmless,
                Fate::Refused(_) | Fate::Taken | Fate::Unstorable | Fate::Failed => false,
            };
            if !again || attempt == ATTEMPTS {
                return Err(failure);
            }
            attempt += 1;
            tokio::time::sleep(pause).await;
            pause = pause.saturating_mul(4);
        }
    }

    async fn attempt(&self, statement: &str, parameters: &[Parameter<'_>]) -> Result<Vec<Row>, Failure> {
        let connection = self.connection().await?;
        let answer = async {
            let prepared = connection.prepare_cached(statement).await?;
            connection.query(&prepared, parameters).await
        };
        let failure = match tokio::time::timeout(self.answer_within, answer).await {
            Ok(Ok(rows)) => return Ok(rows),
            Ok(Err(error)) => Failure::from(error),
            Err(_) => Failure {
                error: StoreError::Unavailable("the server does not answer".to_owned()),
                fate: Fate::Unknown,
                spent: true,
            },
        };
        if failure.spent {
            drop(Object::take(connection));
        }
        Err(failure)
    }
}
