//! The roles of the users of the admin API and the console, and what each of them permits.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The role of a user. Of several roles the greatest applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// An agent of chats, who has access to them only.
    Agent,
    /// Reads everything, and changes nothing.
    Viewer,
    /// Also acts on what is running: services, bookings, chats, replicas, webhooks.
    Operator,
    /// Also changes the catalog.
    Admin,
}

/// What a route of the admin API or the console requires of the role of the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// Reads chats.
    ReadChats,
    /// Answers chats.
    AnswerChats,
    /// Reads everything else.
    Read,
    /// Acts on what is running.
    Operate,
    /// Changes the catalog.
    Configure,
}

impl Role {
    /// The role of an operator with this name in the settings.
    #[must_use]
    pub fn parse_operator(name: &str) -> Option<Self> {
        let roles = [Self::Viewer, Self::Operator, Self::Admin];
        roles.into_iter().find(|role| role.name() == name)
    }

    /// The name in settings, logs and pages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    /// Whether the role permits this.
    #[must_use]
    pub fn permits(self, permission: Permission) -> bool {
        match permission {
            Permission::ReadChats => true,
            Permission::AnswerChats => self != Self::Viewer,
            Permission::Read => self >= Self::Viewer,
            Permission::Operate => self >= Self::Operator,
            Permission::Configure => self >= Self::Admin,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Permission {
    /// The error of a user whose role does not permit it.
    #[must_use]
    pub fn missing_for(self, role: Role) -> &'static str {
        match self {
            _ if role == Role::Agent => {
                "this page is for administrators, operators and viewers; agents have access to Chats"
            }
            Self::ReadChats | Self::Read => "this requires the role viewer, operator or admin",
            Self::AnswerChats | Self::Operate => "this requires the role operator or admin",
            Self::Configure => "this requires the role admin",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_permits_what_the_documentation_says() {
        use Permission::{AnswerChats, Configure, Operate, Read, ReadChats};
        let permissions = [ReadChats, AnswerChats, Read, Operate, Configure];
        for (role, expected) in [
            (Role::Agent, [true, true, false, false, false]),
            (Role::Viewer, [true, false, true, false, false]),
            (Role::Operator, [true, true, true, true, false]),
            (Role::Admin, [true; 5]),
        ] {
            assert_eq!(
                permissions.map(|permission| role.permits(permission)),
                expected,
                "{role}"
            );
        }
    }

    #[test]
    fn the_settings_name_the_roles_of_operators_only() {
        for role in [Role::Viewer, Role::Operator, Role::Admin] {
            assert_eq!(Role::parse_operator(role.name()), Some(role));
        }
        for other in ["agent", "", "Admin", "root"] {
            assert_eq!(Role::parse_operator(other), None, "{other:?}");
        }
    }
}
