//! Decides at run time who may sign in, as whom, with which roles, and which claims an app receives.
//!
//! No async, no I/O, no clock, no HTTP types. The decision runs in the order that the configuration language gives, each stage
//! in a module of its own: [`claims`] (upstream claims to attributes, and an app's own claims), [`account`] (match, link,
//! create or refuse), [`break_glass`] (the local account), [`roles`], [`app`] (whether this app may be used, and which claims
//! it receives), [`console`] (whether the console may be opened); [`normal`] is the form in which claims are read. [`pipeline`]
//! calls them in order; [`trace`] records which line of which file caused each step; [`policy`] is the compiled file that all
//! of them read.
//!
//! What studies a configuration without deciding (tests, plans, explanations) is in [`analysis`](crate::analysis).

pub mod account;
pub mod app;
pub mod break_glass;
pub mod claims;
pub mod console;
pub mod normal;
pub mod pipeline;
pub mod policy;
pub mod reason;
pub mod roles;
pub mod subject;
pub mod subject_rule;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
pub mod trace;
pub mod username;
