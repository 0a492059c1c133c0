//! The pure core: what decides who gets in, as whom, with which roles, and what an app is told.
//!
//! No async, no I/O, no clock, no HTTP types. The decision runs in the order that the configuration language gives, each
//! stage in a module of its own: [`claims`] (upstream claims → attributes → app claims), [`account`] (match, link, create
//! or refuse), [`roles`], [`app`] (may this app be used, and which claims it gets). [`decision`] is their order;
//! [`trace`] records which line of which file made each step; [`policy`] is the compiled file that they all read.

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
