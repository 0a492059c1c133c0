//! What people see of themselves at `/account`, and what they take away there: only their own, and never more than the file
//! gives them.
//!
//! Who the visitor is, and whether an action was meant, [`own`](crate::op::authorize::own) has decided before.

pub mod about;
pub mod activity;
pub mod apps;
pub mod certificates;
pub mod consents;
pub mod device;
pub mod sessions;
