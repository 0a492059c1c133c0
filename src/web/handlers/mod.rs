//! What each route does, with one file for each group of endpoints: it calls `op` with plain data and writes the outcome.

pub(super) mod account;
mod account_certificates;
pub(super) mod authorize;
pub(super) mod break_glass;
pub(super) mod callback;
pub(super) mod console;
pub(super) mod documents;
pub(super) mod drafts;
pub(super) mod logout;
pub(super) mod signals;
pub(super) mod start;
pub(super) mod token;
pub(super) mod userinfo;
