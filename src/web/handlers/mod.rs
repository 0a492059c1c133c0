//! What each route does, a file a group of endpoints: `op` is called with plain data, and its outcome is written.

pub(super) mod authorize;
pub(super) mod callback;
pub(super) mod documents;
pub(super) mod logout;
pub(super) mod start;
pub(super) mod token;
pub(super) mod userinfo;
