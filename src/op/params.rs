//! Parameters of a request as sent, and how an endpoint's form is read from them (RFC 6749 §3.1, §3.2): an empty parameter
//! counts as absent, and one that came more than once is refused unless it may repeat.
//!
//! It owns decoding and reading by name. The [`Form`] of an endpoint says which parameters it takes.

use std::collections::HashSet;
use std::fmt;

use crate::op::error::{OAuthError, PageError, printable};
use crate::protocol::ErrorCode;

/// The longest `state` of a request that is stored, in bytes: it must be returned as it was sent, so it can't be cut.
pub const LONGEST_STATE: usize = 4 * 1024;

/// What an endpoint takes, in a type. It is parsed once, where the request comes in; nothing after that reads a parameter by
/// its name.
pub trait Form<'p>: Sized {
    /// Names of the parameters that may come more than once.
    const MAY_REPEAT: &'static [&'static str] = &[];

    /// Reads the parameters by their names. Those that came more than once and may not are read as absent: for the few
    /// that answer such a request themselves.
    fn read(params: &'p Params) -> Self;

    /// Reads a form that has no parameter more than once.
    ///
    /// # Errors
    /// The first parameter that came more than once, known to the endpoint or not.
    fn parse(params: &'p Params) -> Result<Self, Duplicate> {
        match params.duplicate(Self::MAY_REPEAT) {
            Some(duplicate) => Err(duplicate),
            None => Ok(Self::read(params)),
        }
    }
}

/// The parameters of a query or a form.
#[derive(Clone, Debug, Default)]
pub struct Params(Vec<(String, String)>);

/// A parameter that came more than once (RFC 6749 §3.1: must not).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duplicate(pub String);

impl fmt::Display for Duplicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the parameter {} came more than once", printable(&self.0))
    }
}

impl From<Duplicate> for OAuthError {
    fn from(duplicate: Duplicate) -> Self {
        Self::new(ErrorCode::InvalidRequest, duplicate.to_string())
    }
}

impl From<Duplicate> for PageError {
    fn from(duplicate: Duplicate) -> Self {
        Self::new(400, "invalid_request", duplicate.to_string())
    }
}

/// One pair, `None` when it is empty. Most have nothing to decode.
fn decode(pair: &[u8]) -> Option<(String, String)> {
    let plain = std::str::from_utf8(pair).ok().filter(|text| !text.bytes().any(|byte| matches!(byte, b'%' | b'+')));
    match plain {
        Some("") => None,
        Some(text) => {
            let (name, value) = text.split_once('=').unwrap_or((text, ""));
            Some((name.to_owned(), value.to_owned()))
        }
        None => url::form_urlencoded::parse(pair).into_owned().next(),
    }
}

impl Params {
    /// Decodes `application/x-www-form-urlencoded` text.
    #[must_use]
    pub fn parse(text: &[u8]) -> Self {
        Self(text.split(|byte| *byte == b'&').filter_map(decode).collect())
    }

    /// Parameters that are decoded already.
    #[must_use]
    pub fn from_pairs(pairs: Vec<(String, String)>) -> Self {
        Self(pairs)
    }

    /// The only value of a parameter.
    ///
    /// # Errors
    /// When it came more than once.
    pub fn one(&self, name: &str) -> Result<Option<&str>, Duplicate> {
        let mut values = self.0.iter().filter(|(key, _)| key == name);
        let first = values.next();
        if values.next().is_some() {
            return Err(Duplicate(name.to_owned()));
        }
        Ok(first.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty()))
    }

    /// The value of a parameter; `None` when it is absent, empty, or came more than once.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.one(name).ok().flatten()
    }

    /// Every value of a parameter that may repeat.
    #[must_use]
    pub fn all(&self, name: &str) -> Vec<String> {
        self.0.iter().filter(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.clone()).collect()
    }

    /// The first parameter that came more than once and may not.
    #[must_use]
    pub fn duplicate(&self, may_repeat: &[&str]) -> Option<Duplicate> {
        self.duplicates(may_repeat).into_iter().next()
    }

    /// The parameters that came more than once and may not, in the order in which they were repeated.
    #[must_use]
    pub fn duplicates(&self, may_repeat: &[&str]) -> Vec<Duplicate> {
        let mut seen = HashSet::with_capacity_and_hasher(self.0.len(), foldhash::quality::RandomState::default());
        let names = self.0.iter().map(|(name, _)| name.as_str());
        let again = names.filter(|name| !may_repeat.contains(name) && !seen.insert(*name));
        again.map(|name| Duplicate(name.to_owned())).collect()
    }

    /// The parameters as form text.
    #[must_use]
    pub fn encode(&self) -> String {
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.0).finish()
    }

    /// Every parameter, in order.
    #[must_use]
    pub fn pairs(&self) -> &[(String, String)] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Plain pairs, which take the short way, are decoded as the standard's parser decodes them.
        #[test]
        fn parameters_are_those_of_the_standard(text in "([a-c=&%+2é ]|%[0-9a-fA-F]{2}|.){0,24}", broken in proptest::collection::vec(any::<u8>(), 0..24)) {
            for text in [text.as_bytes(), broken.as_slice()] {
                let expected: Vec<(String, String)> = url::form_urlencoded::parse(text).into_owned().collect();
                prop_assert_eq!(Params::parse(text).0, expected);
            }
        }
    }
}
