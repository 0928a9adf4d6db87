//! Roles and the scopes that they bring.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One thing that a token allows.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Scope {
    /// Submit jobs, and cancel what one submitted.
    JobsSubmit,
    /// Read the jobs that one submitted.
    JobsRead,
    /// Read the jobs of the whole tenant.
    JobsReadTeam,
    /// Administer the tenant: cancel anybody's jobs.
    JobsAdmin,
}

/// Every scope that there is.
pub const ALL: [Scope; 4] = [Scope::JobsSubmit, Scope::JobsRead, Scope::JobsReadTeam, Scope::JobsAdmin];

impl Scope {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::JobsSubmit => "jobs:submit",
            Self::JobsRead => "jobs:read",
            Self::JobsReadTeam => "jobs:read:team",
            Self::JobsAdmin => "jobs:admin",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = || ALL.map(Scope::as_str).join(", ");
        ALL.into_iter().find(|scope| scope.as_str() == text).ok_or_else(|| format!("{text} is not one of {}", known()))
    }
}

/// The scopes of a token; on the wire a string with spaces between (RFC 6749 section 3.3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes(BTreeSet<Scope>);

impl Scopes {
    #[must_use]
    pub fn contains(&self, scope: Scope) -> bool {
        self.0.contains(&scope)
    }

    pub fn iter(&self) -> impl Iterator<Item = Scope> {
        self.0.iter().copied()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those that stand in both.
    #[must_use]
    pub fn common(&self, other: &Self) -> Self {
        Self(self.0.intersection(&other.0).copied().collect())
    }

    /// Whether all of them stand in the other.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        self.0.is_subset(&other.0)
    }

    /// Reads what a client asks for; a scope that there is not is refused by name.
    ///
    /// # Errors
    /// The first word that is no scope.
    pub fn parse(text: &str) -> Result<Self, String> {
        text.split(' ').filter(|word| !word.is_empty()).map(str::parse).collect()
    }

    /// Reads a token's scopes. Those that this version does not know allow nothing, and are skipped.
    pub(super) fn read(text: &str) -> Self {
        Self(text.split(' ').filter_map(|word| word.parse().ok()).collect())
    }

    /// The first scope that `role` does not bring.
    pub(super) fn beyond(&self, role: Role) -> Option<Scope> {
        self.0.iter().copied().find(|scope| !role.scopes().contains(*scope))
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().collect())
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.iter().map(Scope::as_str).collect();
        f.write_str(&names.join(" "))
    }
}

/// What a user is in a tenant.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Developer,
    TeamLead,
    Admin,
}

impl Role {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Developer => "developer",
            Self::TeamLead => "team_lead",
            Self::Admin => "admin",
        }
    }

    /// All that the role may be given.
    #[must_use]
    pub fn scopes(self) -> Scopes {
        let count = match self {
            Self::Developer => 2,
            Self::TeamLead => 3,
            Self::Admin => 4,
        };
        ALL.into_iter().take(count).collect()
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Developer, Self::TeamLead, Self::Admin]
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| format!("{text} is not one of developer, team_lead, admin"))
    }
}
