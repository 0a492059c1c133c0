//! The result of the question what leads to a role, and how it is printed.

use std::fmt;

use serde::Serialize;

/// Everything that can lead to a role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reach {
    /// The role.
    pub role: String,
    /// The line on which it is declared.
    pub declared: Option<String>,
    /// Its description in the file.
    pub description: Option<String>,
    /// Its permissions.
    pub permissions: Vec<String>,
    /// What leads to it, in the order of the decision.
    pub ways: Vec<Way>,
}

/// One way to a role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Way {
    /// `asserted`, `rule`, `user` or `default`.
    pub kind: &'static str,
    /// Its description.
    pub text: String,
    /// Its line in the file.
    pub place: String,
    /// The groups or asserted roles that it tests for.
    pub names: Vec<Name>,
}

/// A group or role that a rule tests for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Name {
    /// `groups` or `roles`.
    pub list: String,
    /// Its name, or the pattern of a family.
    pub name: String,
    /// Where it comes from, one line for each source.
    pub from: Vec<String>,
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.declared {
            Some(place) => write!(f, "Role {}  [{place}]", self.role)?,
            None => write!(f, "Role {}, not declared", self.role)?,
        }
        match self.permissions.as_slice() {
            [] => writeln!(f, ", without permissions")?,
            permissions => writeln!(f, ", permissions {}", permissions.join(", "))?,
        }
        if let Some(description) = &self.description {
            writeln!(f, "  {description}")?;
        }
        if self.ways.is_empty() {
            writeln!(f, "  nothing leads to it")?;
        }
        for way in &self.ways {
            writeln!(f, "  {}  [{}]", way.text, way.place)?;
            for name in &way.names {
                writeln!(f, "      {} {}", name.list.trim_end_matches('s'), name.name)?;
                name.from.iter().try_for_each(|from| writeln!(f, "          {from}"))?;
            }
        }
        Ok(())
    }
}
