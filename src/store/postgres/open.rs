//! Opening a store: whether the server is suitable, whose schema it has, migrations, and whether the keys match. Whatever is
//! wrong is said in one line, and then nothing was changed.

use tokio_postgres::Transaction;
use tokio_postgres::error::SqlState;

use crate::store::StoreError;
use crate::store::postgres::database::Database;
use crate::store::postgres::error::{Failure, text};
use crate::store::postgres::schema::{CREATE_STORE, MIGRATIONS, SUFFIX, functions};
use crate::store::seal::{Sealer, SealerError};
use crate::store::seal_check::{self, SealCheck};
use crate::store::transfer::tables::UNFINISHED;

/// The oldest server: PostgreSQL 13.
const OLDEST: i32 = 130_000;
/// How often the first start is tried, because others may start at the same time.
const ATTEMPTS: u32 = 5;

/// What is asked of a server.
const CAPABILITIES: &str = "SELECT current_setting('server_version_num')::integer, current_setting('server_encoding'),
    pg_is_in_recovery(), current_schema()::text,
    coalesce(has_schema_privilege(current_schema(), 'CREATE'), false),
    EXISTS (SELECT FROM pg_language WHERE lanname = 'plpgsql'), current_user::text";
/// The tables of the schema, without those of extensions.
const TABLES: &str = "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p')
        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
    ORDER BY c.relname = 'countersign_store' DESC, c.relname";

/// Why a PostgreSQL store can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// `store.url`.
    #[error("store.url {0}")]
    Url(String),
    /// Without declared keys each replica would have its own.
    #[error(
        "store.encryption_keys must be set with a PostgreSQL store: all replicas need the same key. Make one, for example with \
         `openssl rand -base64 32`, and name its file: encryption_keys = [{{ file = \"...\" }}]"
    )]
    NoKeys,
    /// `store.encryption_keys`.
    #[error(transparent)]
    Sealer(#[from] SealerError),
    /// The server refused the user.
    #[error("{store}: {reason}: correct the user and the password of store.url, or its passfile")]
    Refused {
        /// The store.
        store: String,
        /// The server's words.
        reason: String,
    },
    /// There is no such database.
    #[error("{store}: {reason}: create it (CREATE DATABASE ... ENCODING 'UTF8'), or correct store.url")]
    NoDatabase {
        /// The store.
        store: String,
        /// The server's words.
        reason: String,
    },
    /// A standby, or a server that was made read-only.
    #[error(
        "{store} can only be read: it is a standby, or was made read-only. Name the primary in store.url, or all hosts"
    )]
    ReadOnly {
        /// The store.
        store: String,
    },
    /// The user may not create tables.
    #[error("{store}: the user {user} may not create tables: GRANT CREATE, USAGE ON SCHEMA {schema} TO {user}")]
    NoRights {
        /// The store.
        store: String,
        /// The user.
        user: String,
        /// The schema.
        schema: String,
    },
    /// The server lacks something that the store needs.
    #[error("{store} can't be used: {reason}")]
    Unsuitable {
        /// The store.
        store: String,
        /// What is missing, and the way out.
        reason: String,
    },
    /// The schema has tables of another program.
    #[error(
        "{store} is not a Countersign store: its schema {schema} has tables of another program ({tables}). Give Countersign a \
         database of its own, or a schema (options=-csearch_path%3DNAME in store.url)"
    )]
    Foreign {
        /// The store.
        store: String,
        /// The schema.
        schema: String,
        /// Some of its tables.
        tables: String,
    },
    /// A newer version has migrated the store.
    #[error(
        "{store} was written by a newer version (schema {found}, this one knows {known}): run that version, or restore a \
         backup from before the upgrade"
    )]
    Newer {
        /// The store.
        store: String,
        /// Its schema.
        found: usize,
        /// The newest schema known here.
        known: usize,
    },
    /// The store belongs to a broker with another issuer.
    #[error(
        "{store} is the store of {found}, and this broker is {issuer}: give it a database of its own. If the issuer has \
         changed, say so with: UPDATE countersign_store SET issuer = '{issuer}'"
    )]
    OtherIssuer {
        /// The store.
        store: String,
        /// Whose it is.
        found: String,
        /// This broker.
        issuer: String,
    },
    /// None of the keys is one of those that sealed the store.
    #[error(
        "{store} is sealed with other keys ({needed}) than those given ({given}): name the old key last in \
         store.encryption_keys"
    )]
    WrongKey {
        /// The store.
        store: String,
        /// Ids of the keys that sealed it.
        needed: String,
        /// Ids of the given keys.
        given: String,
    },
    /// A copy of another store that was not finished.
    #[error(
        "{store} is a copy of {from} that was not finished: run `countersign store copy` again, which continues, or give the \
         broker an empty database"
    )]
    Unfinished {
        /// The store.
        store: String,
        /// Where it was copied from.
        from: String,
    },
    /// Anything else.
    #[error("{store}: {reason}")]
    Failed {
        /// The store.
        store: String,
        /// Why.
        reason: StoreError,
    },
}

/// A store that is opened.
pub(crate) struct Opening<'o> {
    pub(crate) database: &'o Database,
    pub(crate) store: &'o str,
    pub(crate) issuer: &'o str,
    pub(crate) sealer: &'o Sealer,
}

/// Why one attempt failed.
enum Stopped {
    /// For good.
    Opening(OpenError),
    /// By the server.
    Server(tokio_postgres::Error),
}

impl From<tokio_postgres::Error> for Stopped {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Server(error)
    }
}

impl From<OpenError> for Stopped {
    fn from(error: OpenError) -> Self {
        Self::Opening(error)
    }
}

impl Opening<'_> {
    /// Checks the server and brings the schema up to date.
    pub(crate) async fn run(&self) -> Result<(), OpenError> {
        let mut attempt = 1;
        loop {
            match self.attempt().await {
                Ok(()) => return Ok(()),
                Err(Stopped::Opening(error)) => return Err(error),
                // Others create the same tables at the same time.
                Err(Stopped::Server(error)) if is_race(&error) && attempt < ATTEMPTS => attempt += 1,
                Err(Stopped::Server(error)) => return Err(self.failed(error)),
            }
        }
    }

    /// Whether there is a store; nothing is changed.
    pub(crate) async fn exists(&self) -> Result<bool, OpenError> {
        let look = async {
            let connection = self.database.connection().await.map_err(|failure| self.unreachable(failure))?;
            let schema = self.check_server(&connection).await?;
            self.check_tables(&connection, &schema).await
        };
        look.await.map_err(|stopped| match stopped {
            Stopped::Opening(error) => error,
            Stopped::Server(error) => self.failed(error),
        })
    }

    async fn attempt(&self) -> Result<(), Stopped> {
        let mut connection = self.database.connection().await.map_err(|failure| self.unreachable(failure))?;
        let schema = self.check_server(&connection).await?;
        let ours = self.check_tables(&connection, &schema).await?;
        let transaction = connection.build_transaction().start().await?;
        transaction.batch_execute("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '1min'").await?;
        if !ours {
            transaction.batch_execute(CREATE_STORE).await?;
        }
        self.migrate(&transaction).await?;
        self.check_keys(&transaction).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Whether the server has what is needed. Returns the schema.
    async fn check_server(&self, connection: &tokio_postgres::Client) -> Result<String, Stopped> {
        let row = connection.query_one(CAPABILITIES, &[]).await?;
        let (version, encoding, standby): (i32, String, bool) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let (schema, may_create): (Option<String>, bool) = (row.try_get(3)?, row.try_get(4)?);
        let (functions, user): (bool, String) = (row.try_get(5)?, row.try_get(6)?);
        let store = self.store.to_owned();
        let unsuitable = |reason: String| Err(OpenError::Unsuitable { store: self.store.to_owned(), reason }.into());
        if version < OLDEST {
            return unsuitable(format!("the server is version {}, and 13 or newer is needed", version / 10_000));
        }
        if encoding != "UTF8" {
            return unsuitable(format!("its encoding is {encoding}: create the database with ENCODING 'UTF8'"));
        }
        if standby {
            return Err(OpenError::ReadOnly { store }.into());
        }
        let Some(schema) = schema else {
            return unsuitable(
                "its search_path names no schema that exists: create it, or correct store.url".to_owned(),
            );
        };
        if !functions {
            return unsuitable("it has no PL/pgSQL: CREATE EXTENSION plpgsql".to_owned());
        }
        if !may_create {
            return Err(OpenError::NoRights { store, user, schema }.into());
        }
        Ok(schema)
    }

    /// Whether the tables are ours; `false` if there are none yet.
    async fn check_tables(&self, connection: &tokio_postgres::Client, schema: &str) -> Result<bool, Stopped> {
        let rows = connection.query(TABLES, &[]).await?;
        let tables: Vec<String> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
        match tables.first() {
            None => Ok(false),
            Some(first) if first == "countersign_store" => Ok(true),
            Some(_) => Err(OpenError::Foreign {
                store: self.store.to_owned(),
                schema: schema.to_owned(),
                tables: tables.iter().take(3).map(String::as_str).collect::<Vec<_>>().join(", "),
            }
            .into()),
        }
    }

    /// Runs the migrations that are missing, and creates this version's functions, while nobody else does.
    async fn migrate(&self, transaction: &Transaction<'_>) -> Result<(), Stopped> {
        let row = transaction.query_one("SELECT version, issuer FROM countersign_store FOR UPDATE", &[]).await?;
        let (version, found): (i32, String) = (row.try_get(0)?, row.try_get(1)?);
        let (version, known) = (usize::try_from(version).unwrap_or(usize::MAX), MIGRATIONS.len());
        let (store, issuer) = (self.store.to_owned(), self.issuer.to_owned());
        if version > known {
            return Err(OpenError::Newer { store, found: version, known }.into());
        }
        if !found.is_empty() && found != issuer {
            return Err(OpenError::OtherIssuer { store, found, issuer }.into());
        }
        for migration in MIGRATIONS.iter().skip(version) {
            transaction.batch_execute(migration).await?;
        }
        if version < known || found.is_empty() {
            let known = i32::try_from(known).unwrap_or(i32::MAX);
            let set = "UPDATE countersign_store SET version = $1, issuer = $2";
            transaction.execute(set, &[&known, &issuer]).await?;
        }
        let count = "SELECT count(*) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
            WHERE n.nspname = current_schema() AND right(p.proname, $2) = $1";
        let length = i32::try_from(SUFFIX.len()).unwrap_or(i32::MAX);
        let there: i64 = transaction.query_one(count, &[&*SUFFIX, &length]).await?.try_get(0)?;
        let functions = functions();
        if usize::try_from(there).ok() != Some(functions.matches("CREATE FUNCTION").count()) {
            transaction.batch_execute(&functions.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")).await?;
        }
        Ok(())
    }

    /// Makes sure that one of the keys is one that sealed this store, and records the key that seals from now on.
    async fn check_keys(&self, transaction: &Transaction<'_>) -> Result<(), Stopped> {
        let mark = transaction.query_opt("SELECT value FROM meta WHERE key = $1", &[&UNFINISHED]).await?;
        if let Some(mark) = mark {
            let from = String::from_utf8_lossy(mark.try_get(0)?).into_owned();
            return Err(OpenError::Unfinished { store: self.store.to_owned(), from }.into());
        }
        let rows = transaction.query("SELECT key, value FROM meta WHERE key LIKE 'seal:%'", &[]).await?;
        let rows = rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
        let rows: Vec<(String, Vec<u8>)> = rows.collect::<Result<_, tokio_postgres::Error>>()?;
        let store = self.store.to_owned();
        match seal_check::of(self.sealer, &rows) {
            Ok(SealCheck::Known) => Ok(()),
            Ok(SealCheck::New(name, sealed)) => {
                let insert = "INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING";
                transaction.execute(insert, &[&name, &sealed]).await?;
                Ok(())
            }
            Ok(SealCheck::Wrong { needed, given }) => Err(OpenError::WrongKey { store, needed, given }.into()),
            Err(reason) => Err(OpenError::Failed { store, reason }.into()),
        }
    }

    /// The error for a server that can't be reached or refuses the connection.
    fn unreachable(&self, failure: Failure) -> OpenError {
        let store = self.store.to_owned();
        let reason = match &failure.error {
            StoreError::Unavailable(reason) => reason.clone(),
            other => other.to_string(),
        };
        if reason.contains("(3D000)") {
            return OpenError::NoDatabase { store, reason };
        }
        if reason.contains("(28") || reason.contains("password missing") {
            return OpenError::Refused { store, reason };
        }
        if reason.contains("does not allow writes") || reason.contains("not read-write") {
            return OpenError::ReadOnly { store };
        }
        OpenError::Unsuitable { store, reason }
    }

    fn failed(&self, error: tokio_postgres::Error) -> OpenError {
        let store = self.store.to_owned();
        match error.code() {
            Some(code) if *code == SqlState::READ_ONLY_SQL_TRANSACTION => OpenError::ReadOnly { store },
            Some(_) => OpenError::Unsuitable { store, reason: text(&error) },
            None => OpenError::Failed { store, reason: error.into() },
        }
    }
}

/// Whether somebody else created the same thing at the same time.
fn is_race(error: &tokio_postgres::Error) -> bool {
    let races = [
        SqlState::UNIQUE_VIOLATION,
        SqlState::DUPLICATE_TABLE,
        SqlState::DUPLICATE_OBJECT,
        SqlState::DUPLICATE_FUNCTION,
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
    ];
    error.code().is_some_and(|code| races.contains(code))
}
