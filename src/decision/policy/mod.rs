//! The compiled policy: what the file says about who may do what, ready to be evaluated.
//!
//! [`Policy::compile`] is the only constructor. It assumes a configuration that passed `check`; what it can still find
//! wrong are expressions, which it reports all at once.

mod compile;
mod model;
mod pattern;

pub use compile::{Locate, key_segment};
pub use model::{
    ClaimRule, ClientPolicy, Condition, DeclaredUser, ExpressionProblem, Policy, ProviderPolicy, RoleRule, ScopePolicy,
    string_list,
};
pub use pattern::Pattern;
