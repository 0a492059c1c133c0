//! What client certificates are verified against: the authorities of `certificates.ca`, and their revocation lists.

use crate::config::diagnostics::problem::{Problems, Severity};
use crate::config::load::Loaded;
use crate::config::load::files::Files;
use crate::x509::{Authorities, Revocations};

/// What client certificates are verified against; what is wrong with the file goes to the problems. A file that can't be read
/// has been reported with the secrets.
pub(super) fn client_authorities(
    loaded: &Loaded,
    files: &dyn Files,
    now: i64,
    problems: &mut Problems,
) -> Option<Authorities> {
    const PATH: &str = "certificates.ca";
    let name = loaded.config.as_ref()?.certificates.as_ref()?.ca.as_ref()?;
    let pem = files.read(name).ok()?;
    match Authorities::read(&pem) {
        Ok(authorities) => {
            if authorities.have_expired(now) {
                let message =
                    format!("`ca`: every authority in {} has expired: no certificate is accepted", name.display());
                let problem = loaded.layers.problem_at_path(Severity::Warning, PATH, message);
                problems.push(problem.suggest("renew it; the file is read again when it changes"));
            }
            revocations(loaded, authorities, files, now, problems)
        }
        Err(what) => {
            let message = format!("`ca` must hold certificates of authorities but {} {what}", name.display());
            let way_out = "put the root there, and the intermediate certificates that clients do not send, all PEM";
            problems.push(loaded.layers.error_at_path(PATH, message).suggest(way_out.to_owned()));
            None
        }
    }
}

/// The authorities with their revocation lists, if the file names any. `None` where these can't be used: without them, revoked
/// certificates would be accepted.
fn revocations(
    loaded: &Loaded,
    authorities: Authorities,
    files: &dyn Files,
    now: i64,
    problems: &mut Problems,
) -> Option<Authorities> {
    const PATH: &str = "certificates.crl";
    let Some(name) = loaded.config.as_ref()?.certificates.as_ref()?.crl.as_ref() else { return Some(authorities) };
    let file = files.read(name).ok()?;
    let found = Revocations::read(&file).and_then(|lists| {
        let due = (lists.next_update() <= now).then(|| lists.due());
        Ok((authorities.with_revocations(lists)?, due))
    });
    match found {
        Ok((authorities, due)) => {
            if let Some(due) = due {
                let message = format!(
                    "`crl`: a list in {} expired on {due}: no certificate of its authority is accepted",
                    name.display()
                );
                let problem = loaded.layers.problem_at_path(Severity::Warning, PATH, message);
                problems.push(problem.suggest("fetch a new one; the file is read again when it changes"));
            }
            Some(authorities)
        }
        Err(what) => {
            let message = format!("`crl` must hold revocation lists but {} {what}", name.display());
            let way_out = "put the complete lists of the authorities in `ca` there, PEM; `openssl crl` converts to it";
            problems.push(loaded.layers.error_at_path(PATH, message).suggest(way_out.to_owned()));
            None
        }
    }
}
