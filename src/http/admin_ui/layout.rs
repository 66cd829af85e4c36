//! The layout of all pages.

use super::signed_in::SignedIn;
use crate::{
    http::health,
    model::{
        Permission::{self, AnswerChats, Configure, Operate, Read, ReadChats},
        Role,
        readiness::Status,
    },
    service::StoreOutage,
    settings::VERSION,
};

type MenuItem = (&'static str, &'static str, &'static str, Permission);

/// The menu: section, path below the console, label, what the page requires of the role of the user.
const MENU: &[MenuItem] = &[
    ("overview", "", "Overview", Read),
    ("services", "/services", "Service definitions", Read),
    ("groups", "/groups", "Resource groups", Read),
    (
        "active-services",
        "/active-services",
        "Active services",
        Read,
    ),
    ("bookings", "/bookings", "Bookings", Read),
    (
        "match-explanation",
        "/match-explanation",
        "Match explanation",
        Read,
    ),
    ("chats", "/chats", "Chats", ReadChats),
    ("try-chat", "/try-chat", "Try chat", Operate),
    ("webhooks", "/webhooks", "Webhooks", Read),
    ("try", "/try", "API explorer", Operate),
    ("api", "/api", "API reference", Read),
    ("audit-log", "/audit-log", "Audit log", Read),
];

/// The frame of every page: title, menu, outage banner.
pub(super) struct Layout {
    pub(super) title: String,
    /// The section of the menu that is marked as current.
    pub(super) section: &'static str,
    pub(super) version: &'static str,
    /// The role of the user; `None` on the sign-in page.
    role: Option<Role>,
    /// The user name of the session; `None` on the sign-in page.
    pub(super) user_name: Option<String>,
    pub(super) form_token: String,
    /// Set while the store is unavailable.
    pub(super) outage: Option<StoreOutage>,
    /// The response of `/readyz` while the store is unavailable.
    pub(super) readyz: Option<Readyz>,
}

/// The response of `/readyz` in the outage banner.
pub(super) struct Readyz {
    pub(super) code: u16,
    pub(super) is_ready: bool,
    pub(super) reasons: String,
}

impl From<&Status> for Readyz {
    fn from(status: &Status) -> Self {
        Self {
            code: health::response_code(status).as_u16(),
            is_ready: status.is_ready(),
            reasons: status.describe(),
        }
    }
}

impl Layout {
    /// The layout of a page of a session.
    pub(super) fn new(session: &SignedIn, section: &'static str, title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            section,
            version: VERSION,
            role: Some(session.role),
            user_name: Some(session.operator.clone()),
            form_token: session.form_token.clone(),
            outage: session.outage.clone(),
            readyz: session.readiness().map(Readyz::from),
        }
    }

    /// The name of the role of the user; empty on the sign-in page.
    pub(super) fn role_name(&self) -> &'static str {
        self.role.map_or("", Role::name)
    }

    /// Whether the role of the user permits actions on what is running.
    pub(super) fn can_operate(&self) -> bool {
        self.permits(Operate)
    }

    /// Whether the role of the user permits changes of the catalog.
    pub(super) fn can_configure(&self) -> bool {
        self.permits(Configure)
    }

    /// Whether the role of the user permits answers to chats.
    pub(super) fn can_answer_chats(&self) -> bool {
        self.permits(AnswerChats)
    }

    fn permits(&self, permission: Permission) -> bool {
        self.role.is_some_and(|role| role.permits(permission))
    }

    /// The items of the menu for the user. The first one is its home page.
    pub(super) fn menu(&self) -> impl Iterator<Item = &'static MenuItem> {
        let items = MENU.iter();
        items.filter(|(_, _, _, permission)| self.permits(*permission))
    }

    /// The path below the console and the label of the home page of the user.
    pub(super) fn home(&self) -> (&'static str, &'static str) {
        let first = self.menu().next();
        first.map_or(("", ""), |(_, path, label, _)| (path, label))
    }

    /// The layout of pages without a session.
    pub(super) fn signed_out(title: &str) -> Self {
        Self {
            title: title.to_owned(),
            section: "",
            version: VERSION,
            role: None,
            user_name: None,
            form_token: String::new(),
            outage: None,
            readyz: None,
        }
    }
}
