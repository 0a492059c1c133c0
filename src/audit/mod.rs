//! The audit trail: what happened, who was concerned, and from where.
//!
//! An [`Event`] is made where something happens, and both its line in the log ([`Event::log`]) and its row in the store
//! ([`chain`]) are derived from it, so that they never differ. An event has no secret, token, code or claim value: its fields
//! are names of this broker (usernames, subjects, clients, providers, reasons), and every text in it is cut to 1 KiB.

pub mod chain;
mod event;
mod kind;
mod log;
mod schema;
mod text;

pub use event::{Event, Identify, Person};
pub use kind::{Action, Kind, Pattern};
pub use schema::schema;
pub use text::Text;
