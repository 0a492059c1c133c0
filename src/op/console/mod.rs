//! The operators' console: who may open it, and what its pages find. It changes nothing by itself: what it takes away is
//! [`administration`](crate::op::administration)'s.
//!
//! [`gate`] decides who may open it, [`users`] searches, [`why`] decides on a user again, [`events`] reads the audit trail and
//! counts refusals, [`roles`] lists roles, [`history`] the generations of the configuration.

pub mod events;
pub mod gate;
pub mod history;
pub mod roles;
pub mod users;
pub mod why;
