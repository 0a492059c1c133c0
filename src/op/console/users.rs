//! Searching for users by the beginning of a name, a verified address or a subject.

use crate::decision::username;
use crate::op::RequestContext;
use crate::op::administration::near::near;
use crate::op::error::PageError;
use crate::store::{Person, Result as StoreResult};

/// How many users a page has.
pub const PAGE: usize = 25;
/// How often the store is asked for one page, where nearly all that it finds is on an earlier page already.
const ROUNDS: usize = 8;

/// A user who was found.
#[derive(Clone, Debug)]
pub struct Hit {
    /// The user.
    pub person: Person,
    /// The verified address that matches, where that is what was found.
    pub address: Option<String>,
}

/// A page of users.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The users.
    pub hits: Vec<Hit>,
    /// Where the next page begins.
    pub next: Option<String>,
    /// Where nobody is found: names that are nearly what was searched for.
    pub near: Vec<String>,
}

/// Where a page begins. Names come first, then addresses, then subjects; a user whose name matches is not shown again.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Position {
    Names(Option<String>),
    Addresses(Option<(String, i64)>),
    Subjects(Option<String>),
}

impl Position {
    fn token(&self) -> String {
        match self {
            Self::Names(after) => format!("n{}", after.as_deref().map(|key| format!(":{key}")).unwrap_or_default()),
            Self::Addresses(after) => {
                format!("a{}", after.as_ref().map(|(address, row)| format!(":{row}:{address}")).unwrap_or_default())
            }
            Self::Subjects(after) => format!("s{}", after.as_deref().map(|sub| format!(":{sub}")).unwrap_or_default()),
        }
    }

    fn parse(token: &str) -> Option<Self> {
        let (stage, after) = token.split_once(':').map_or((token, None), |(stage, after)| (stage, Some(after)));
        match (stage, after) {
            ("n", after) => Some(Self::Names(after.map(str::to_owned))),
            ("a", None) => Some(Self::Addresses(None)),
            ("a", Some(after)) => {
                let (row, address) = after.split_once(':')?;
                Some(Self::Addresses(Some((address.to_owned(), row.parse().ok()?))))
            }
            ("s", after) => Some(Self::Subjects(after.map(str::to_owned))),
            _ => None,
        }
    }
}

/// Users whose name, verified address or subject begins with `text`; all users, where it is empty.
///
/// # Errors
/// When `page` is not a position of this list; when the store is not available.
pub async fn search(context: &RequestContext<'_>, text: &str, page: Option<&str>) -> Result<Found, PageError> {
    let unknown = || PageError::new(400, "invalid_request", "the page of the list is not known");
    let position = match page {
        Some(token) => Position::parse(token).ok_or_else(unknown)?,
        None => Position::Names(None),
    };
    let found = Search { context, text: text.trim(), name: username::key(text) }.page(position).await?;
    let nobody = page.is_none() && found.hits.is_empty() && found.next.is_none();
    let near = if nobody { near(context.store(), text).await? } else { Vec::new() };
    Ok(Found { near, ..found })
}

struct Search<'a> {
    context: &'a RequestContext<'a>,
    text: &'a str,
    /// The beginning of the names.
    name: String,
}

impl Search<'_> {
    async fn page(&self, mut position: Position) -> StoreResult<Found> {
        let mut hits: Vec<(Hit, Position)> = Vec::new();
        for _ in 0..ROUNDS {
            // One more than a page has shows whether there is another page.
            let (found, next) = self.some(position, PAGE + 1 - hits.len()).await?;
            hits.extend(found);
            match next {
                Some(next) if hits.len() <= PAGE => position = next,
                _ => return Ok(Self::cut(hits, None)),
            }
        }
        Ok(Self::cut(hits, Some(position)))
    }

    /// A page of these; `further` is where the next one begins where they are no full page.
    fn cut(mut hits: Vec<(Hit, Position)>, further: Option<Position>) -> Found {
        let full = hits.len() > PAGE;
        hits.truncate(PAGE);
        let last = hits.last().filter(|_| full).map(|(_, after)| after.clone());
        let next = last.or(further).map(|position| position.token());
        Found { hits: hits.into_iter().map(|(hit, _)| hit).collect(), next, near: Vec::new() }
    }

    /// Up to `most` users from a position on, each with the position after it; and where to go on, unless all are found.
    async fn some(&self, position: Position, most: usize) -> StoreResult<(Vec<(Hit, Position)>, Option<Position>)> {
        let store = self.context.store();
        let limit = u32::try_from(most).unwrap_or(u32::MAX);
        let hit = |person: Person, address: Option<String>| Hit { person, address };
        match position {
            Position::Names(after) => {
                let found = store.users_named(&self.name, after.as_deref(), limit).await?;
                let more = found.len() == most;
                let found: Vec<_> = found
                    .into_iter()
                    .map(|person| {
                        let position = Position::Names(Some(person.user.username_key.clone()));
                        (hit(person, None), position)
                    })
                    .collect();
                // Without a text, all users have been listed by then.
                let behind = (!self.name.is_empty()).then_some(Position::Addresses(None));
                let next = if more { found.last().map(|(_, position)| position.clone()) } else { behind };
                Ok((found, next))
            }
            Position::Addresses(after) => {
                let prefix = self.text.to_lowercase();
                let from = after.as_ref().map(|(address, row)| (address.as_str(), *row));
                let found = store.users_with_address(&prefix, from, limit).await?;
                let last = found.last().map(|(address, row, _)| (address.clone(), *row));
                let next = if found.len() == most { Position::Addresses(last) } else { Position::Subjects(None) };
                let new = found.into_iter().filter(|(_, _, person)| !self.is_named(person));
                let new = new.map(|(address, row, person)| {
                    let position = Position::Addresses(Some((address.clone(), row)));
                    (hit(person, Some(address)), position)
                });
                Ok((new.collect(), Some(next)))
            }
            Position::Subjects(after) => {
                let found = store.users_with_sub(self.text, after.as_deref(), limit).await?;
                let last = found.last().map(|person| person.user.sub.clone());
                let next = (found.len() == most).then_some(Position::Subjects(last));
                let new = found.into_iter().filter(|person| !self.is_named(person));
                let new = new.map(|person| {
                    let position = Position::Subjects(Some(person.user.sub.clone()));
                    (hit(person, None), position)
                });
                Ok((new.collect(), next))
            }
        }
    }

    /// Whether the name matches: then the user is on an earlier page.
    fn is_named(&self, person: &Person) -> bool {
        person.user.username_key.starts_with(&self.name)
    }
}

/// The user with this public subject.
///
/// # Errors
/// A page when there is none; when the store is not available.
pub async fn by_sub(context: &RequestContext<'_>, sub: &str) -> Result<Person, PageError> {
    let person = context.store().user_by_sub(sub).await?;
    person.ok_or_else(|| PageError::new(404, "not_found", "no user has this sub"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_as_it_was_written() {
        for position in [
            Position::Names(None),
            Position::Names(Some("a:b".to_owned())),
            Position::Names(Some(String::new())),
            Position::Addresses(None),
            Position::Addresses(Some(("a:b@example.org".to_owned(), 7))),
            Position::Subjects(None),
            Position::Subjects(Some("s:1".to_owned())),
        ] {
            assert_eq!(Position::parse(&position.token()), Some(position));
        }
        for token in ["", "x", "a:", "a:x:y", "n7", ":"] {
            assert_eq!(Position::parse(token), None, "{token}");
        }
    }
}
