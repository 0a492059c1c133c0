//! The names under which providers send an attribute.

/// The attributes that lines are proposed for, and the names of claims that they may come from, the likeliest first. Names are
/// compared as [`local`] reads them.
const NAMES: &[(&str, &[&str])] = &[
    (
        "username",
        &[
            "username",
            "preferredusername",
            "login",
            "nickname",
            "upn",
            "userprincipalname",
            "uniquename",
            "samaccountname",
            "uid",
            "email",
            "mail",
            "emailaddress",
        ],
    ),
    ("email", &["email", "mail", "emailaddress", "emails", "mailaddress"]),
    ("email_verified", &["emailverified", "verifiedemail", "emailconfirmed"]),
    ("name", &["name", "displayname", "fullname", "cn", "commonname"]),
    ("given_name", &["givenname", "firstname"]),
    ("family_name", &["familyname", "lastname", "surname", "sn"]),
    ("picture", &["picture", "avatarurl", "avatar", "photo"]),
    (
        "groups",
        &["groups", "group", "memberof", "ismemberof", "groupmembership", "groupmemberships", "groupnames", "teams"],
    ),
    ("roles", &["roles", "role", "approles", "authorities"]),
];

/// The attributes, in the order in which lines for them are written.
pub(super) fn attributes() -> impl Iterator<Item = &'static str> {
    NAMES.iter().map(|(attribute, _)| *attribute)
}

/// The names of claims that an attribute may come from.
pub(super) fn of(attribute: &str) -> &'static [&'static str] {
    NAMES.iter().find(|(name, _)| *name == attribute).map(|(_, names)| *names).unwrap_or_default()
}

/// A claim's name without what says whose it is: the last part of a URL or URN, in lower case, without separators.
pub(super) fn local(name: &str) -> String {
    let whole = name.trim_end_matches(['/', '#', ':']);
    let last = whole.rsplit(['/', '#', ':']).next().unwrap_or(whole);
    last.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
}

/// Whether directories send distinguished names under this name.
pub(super) fn may_be_distinguished(local: &str) -> bool {
    matches!(local, "memberof" | "ismemberof" | "groupmembership")
}
