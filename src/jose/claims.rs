//! Reads claims strictly: only the types that the specifications give them are accepted.
//!
//! Owns the checks that every kind of token shares. A JSON null counts as absent.

use serde_json::{Map, Value};

use crate::jose::{Check, Problem};

/// Seconds by which the issuer's clock may differ from ours.
pub(crate) const SKEW: i64 = 60;

/// Claims under their strict types.
#[derive(Clone, Copy)]
pub(crate) struct Claims<'a>(pub(crate) &'a Map<String, Value>);

impl<'a> Claims<'a> {
    fn present(self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// A string.
    pub(crate) fn text(self, name: &'static str) -> Result<Option<&'a str>, Check> {
        self.present(name).map(|value| value.as_str().ok_or(Check::Claim(name, Problem::Type))).transpose()
    }

    /// A string that may be omitted: an empty one counts as absent (OIDC Core §5.3.2).
    pub(crate) fn filled(self, name: &'static str) -> Result<Option<&'a str>, Check> {
        Ok(self.text(name)?.filter(|text| !text.is_empty()))
    }

    /// A NumericDate (RFC 7519 §2): a JSON number, whose fraction is ignored.
    pub(crate) fn time(self, name: &'static str) -> Result<Option<i64>, Check> {
        self.present(name)
            .map(|value| {
                let whole = value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds as i64));
                whole.ok_or(Check::Claim(name, Problem::Type))
            })
            .transpose()
    }

    /// `iss` must be present and equal, character for character.
    pub(crate) fn issuer(self, expected: &str) -> Result<(), Check> {
        self.equals("iss", expected)
    }

    /// A string that must be present and equal.
    pub(crate) fn equals(self, name: &'static str, expected: &str) -> Result<(), Check> {
        match self.text(name)? {
            None => Err(Check::Claim(name, Problem::Missing)),
            Some(found) if found == expected => Ok(()),
            Some(_) => Err(Check::Claim(name, Problem::Differs)),
        }
    }

    /// `aud` must name the client. Returns how many it names.
    pub(crate) fn audience(self, client_id: &str) -> Result<usize, Check> {
        let named: Vec<&str> = match self.present("aud") {
            None => return Err(Check::Claim("aud", Problem::Missing)),
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(many)) => many
                .iter()
                .map(|item| item.as_str().ok_or(Check::Claim("aud", Problem::Type)))
                .collect::<Result<_, _>>()?,
            Some(_) => return Err(Check::Claim("aud", Problem::Type)),
        };
        if named.contains(&client_id) { Ok(named.len()) } else { Err(Check::Claim("aud", Problem::Differs)) }
    }

    /// `azp`, if present, must be the client; with several audiences it must be present (OIDC Core §3.1.3.7).
    pub(crate) fn authorized_party(self, client_id: &str, audiences: usize) -> Result<(), Check> {
        match self.filled("azp")? {
            None if audiences > 1 => Err(Check::Claim("azp", Problem::Missing)),
            Some(azp) if azp != client_id => Err(Check::Claim("azp", Problem::Differs)),
            _ => Ok(()),
        }
    }

    /// `exp` must be present and not in the past.
    pub(crate) fn not_expired(self, now: i64) -> Result<(), Check> {
        match self.time("exp")? {
            None => Err(Check::Claim("exp", Problem::Missing)),
            Some(exp) if exp.saturating_add(SKEW) <= now => Err(Check::Claim("exp", Problem::Time)),
            Some(_) => Ok(()),
        }
    }

    /// A time that, if present, must not be in the future: `nbf`, `iat`, `auth_time`.
    pub(crate) fn has_come(self, name: &'static str, now: i64) -> Result<Option<i64>, Check> {
        let time = self.time(name)?;
        match time {
            Some(time) if time > now.saturating_add(SKEW) => Err(Check::Claim(name, Problem::Time)),
            _ => Ok(time),
        }
    }

    /// `sub`: a string of 1 to 255 bytes (OIDC Core §2).
    pub(crate) fn subject(self) -> Result<&'a str, Check> {
        match self.text("sub")? {
            None => Err(Check::Claim("sub", Problem::Missing)),
            Some(sub) if sub.is_empty() || sub.len() > 255 => Err(Check::Claim("sub", Problem::Type)),
            Some(sub) => Ok(sub),
        }
    }

    /// `amr`: a list of strings, or, as some providers send it, one string.
    pub(crate) fn methods(self) -> Vec<String> {
        match self.present("amr") {
            Some(Value::String(one)) => vec![one.clone()],
            Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => Vec::new(),
        }
    }
}
