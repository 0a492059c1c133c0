//! The compiled policy: the rules of the file about who may do what, ready to be evaluated.
//!
//! [`Policy::compile`] is the only constructor. It assumes a configuration that passed `check`; the only problems that it can
//! still find are expressions that do not compile, which it reports all at once.

mod compile;
mod model;
mod pattern;

pub use compile::{Locate, key_segment};
pub use model::{
    Attached, BreakGlassPolicy, ClaimRule, ClientPolicy, Condition, ConsolePolicy, DeclaredUser, ExpressionProblem,
    Policy, ProviderPolicy, RoleRule, ScopePolicy, string_list,
};
pub use pattern::Pattern;
