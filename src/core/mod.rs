//! The pure core: what decides.

pub mod expression;
