//! Roles and the scopes that they bring.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One thing that a credential allows.
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

/// The scopes of a credential; on the wire of OAuth a string with spaces between (RFC 6749 section 3.3).
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

    /// Reads a credential's scopes. Those that this version does not know allow nothing, and are skipped.
    #[must_use]
    pub fn read(text: &str) -> Self {
        Self(text.split(' ').filter_map(|word| word.parse().ok()).collect())
    }

    /// The first scope that `role` does not bring.
    #[must_use]
    pub fn beyond(&self, role: Role) -> Option<Scope> {
        self.outside(&role.scopes())
    }

    /// The first scope that `others` lack.
    #[must_use]
    pub fn outside(&self, others: &Self) -> Option<Scope> {
        self.0.iter().copied().find(|scope| !others.contains(*scope))
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
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_has_all_that_the_one_below_it_has() {
        let [developer, lead, admin] = [Role::Developer, Role::TeamLead, Role::Admin].map(Role::scopes);
        assert_eq!(developer.to_string(), "jobs:submit jobs:read");
        assert_eq!(lead.outside(&developer), Some(Scope::JobsReadTeam));
        assert_eq!(admin.beyond(Role::TeamLead), Some(Scope::JobsAdmin));
        assert_eq!(admin.common(&developer), developer);
        assert_eq!(developer.beyond(Role::Admin), None);
        assert!(developer.is_within(&lead) && !lead.is_within(&developer));
    }

    #[test]
    fn what_is_not_known_allows_nothing() {
        assert!(Scopes::parse("jobs:read jobs:everything").is_err());
        assert_eq!(Scopes::parse(" jobs:read"), Ok(Scopes::from_iter([Scope::JobsRead])));
        assert!(Scopes::read("jobs:everything JOBS:READ").is_empty());
        assert_eq!(Scopes::read("x jobs:read").iter().collect::<Vec<_>>(), [Scope::JobsRead]);
    }
}
