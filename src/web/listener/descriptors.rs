//! How many files the process may have open, and how many of them strangers' connections may take.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that no stranger's connection takes: the admin listener's connections, the store, files that a reload reads,
/// calls to apps that nobody waits for.
const RESERVE: u64 = 256;

/// Raises the limit of open files as far as the process may. Called once at the start.
pub fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })
    {
        tracing::warn!(%error, "the limit of open files can't be raised");
    }
}

/// The limit of open files; `None` where there is none.
pub(super) fn limit() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

/// How many connections there may be: those asked for, within half of what the reserve leaves, because the request on a
/// connection may hold a call to a provider. Where the limit is very low, the reserve is half of it.
pub(super) fn connections(asked: usize, limit: Option<u64>) -> usize {
    let Some(limit) = limit else { return asked };
    let left = limit - RESERVE.min(limit / 2);
    asked.min(usize::try_from(left / 2).unwrap_or(usize::MAX)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d42_a_reserve_of_descriptors_stays() {
        for (asked, limit, expected) in [
            (4096, None, 4096),
            (4096, Some(1_048_576), 4096),
            (4096, Some(8448), 4096),
            (4096, Some(1024), 384),
            (100, Some(1024), 100),
            (4096, Some(256), 64),
            (4096, Some(0), 1),
        ] {
            assert_eq!(connections(asked, limit), expected, "{asked} of {limit:?}");
        }
    }
}
