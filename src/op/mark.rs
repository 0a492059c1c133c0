//! Secret ids that leave the broker and come back (the `state` at a provider, the token of a page's form) with a mark that says
//! which app they were made for. When what was stored under one has expired, the mark leads the person back to that app.
//!
//! Nobody else can read a mark, or make one: it is tagged by the signing keys. It permits nothing.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::op::RequestContext;

/// Bytes of a tag.
const TAG: usize = 16;
/// What a mark adds to an id, in characters: two tags in base64url.
const LENGTH: usize = 43;
/// What the tags are for. The second covers the first, so that clients are looked up only for ids that were made here.
const PURPOSES: [&str; 2] = ["client of an id", "marked id"];

/// The id with the mark of a client, by its key.
#[must_use]
pub fn with_client(context: &RequestContext<'_>, id: String, client: Option<&str>) -> String {
    let keys = context.services.keys.set();
    let [of_client, of_id] = PURPOSES;
    let tags = client.and_then(|client| {
        let first = keys.tag(of_client, &message(&id, client))?;
        let second = keys.tag(of_id, &[id.as_bytes(), &first].concat())?;
        Some([first, second].concat())
    });
    match tags {
        Some(tags) => id + &URL_SAFE_NO_PAD.encode(tags),
        None => id,
    }
}

/// Key of the client whose mark an id has.
#[must_use]
pub fn client_of(context: &RequestContext<'_>, id: &str) -> Option<String> {
    let (id, mark) = id.split_at_checked(id.len().checked_sub(LENGTH)?)?;
    let tags = URL_SAFE_NO_PAD.decode(mark).ok()?;
    let (first, second) = tags.split_at_checked(TAG)?;
    let keys = context.services.keys.set();
    let [of_client, of_id] = PURPOSES;
    if !keys.tagged(of_id, &[id.as_bytes(), first].concat(), second) {
        return None;
    }
    let mut clients = context.snapshot.clients.keys();
    clients.find(|client| keys.tagged(of_client, &message(id, client), first)).cloned()
}

fn message(id: &str, client: &str) -> Vec<u8> {
    format!("{id}\n{client}").into_bytes()
}
