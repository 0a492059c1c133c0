//! What decides at run time: who may sign in, as whom, with which roles, and which claims an app gets.
//!
//! No async, no I/O, no clock, no HTTP types. The decision runs in the order that the configuration language gives, each
//! stage in a module of its own: [`claims`] (upstream claims → attributes, and an app's own claims), [`account`] (match,
//! link, create or refuse), [`roles`], [`app`] (may this app be used, and which claims it gets). [`pipeline`] is their
//! order; [`trace`] records which line of which file made each step; [`policy`] is the compiled file that they all read.
//!
//! What studies a configuration without deciding by it (tests, plans, explanations) is [`analysis`](crate::analysis)'s.

pub mod account;
pub mod app;
pub mod claims;
pub mod pipeline;
pub mod policy;
pub mod reason;
pub mod roles;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
pub mod trace;
pub mod username;
