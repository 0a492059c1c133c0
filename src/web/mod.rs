//! The web edge: what people and apps meet over HTTP.

pub mod pages;
