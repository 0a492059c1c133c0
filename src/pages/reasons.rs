//! What a page says for each reason code. The texts are in the catalogues (`reason.CODE.title`, `reason.CODE.message`); this
//! module lists the codes that have one, and the advice for each.

/// What a person can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Advice {
    /// Begin again from the app.
    StartAgain,
    /// Wait and repeat.
    TryAgain,
    /// Ask an administrator.
    Administrator,
    /// Tell those who run the app: only they can fix it.
    AppOperator,
    /// Use another account, or ask for access.
    AnotherAccount,
    /// Use another identity provider.
    AnotherWay,
    /// Look at the address again.
    CheckAddress,
    /// Sign out, and sign in again.
    SignInAgain,
}

impl Advice {
    /// The text's key in the catalogues, below `advice.`.
    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::StartAgain => "start_again",
            Self::TryAgain => "try_again",
            Self::Administrator => "administrator",
            Self::AppOperator => "app_operator",
            Self::AnotherAccount => "another_account",
            Self::AnotherWay => "another_way",
            Self::CheckAddress => "check_address",
            Self::SignInAgain => "sign_in_again",
        }
    }
}

/// Every code with texts of its own, and its advice.
pub(crate) const REASONS: &[(&str, Advice)] = &[
    ("access_denied", Advice::StartAgain),
    ("app_claim_failed", Advice::Administrator),
    ("break_glass_address", Advice::Administrator),
    ("certificate_invalid", Advice::AnotherWay),
    ("claim_mapping_failed", Advice::Administrator),
    ("client_disabled", Advice::Administrator),
    ("client_provider_not_allowed", Advice::AnotherWay),
    ("client_requirement_not_met", Advice::AnotherAccount),
    ("console_requirement_not_met", Advice::AnotherAccount),
    ("csrf_failed", Advice::StartAgain),
    ("domain_unknown", Advice::AnotherWay),
    ("email_ambiguous", Advice::Administrator),
    ("groups_unavailable", Advice::TryAgain),
    ("internal_error", Advice::TryAgain),
    ("invalid_client", Advice::AppOperator),
    ("invalid_redirect_uri", Advice::AppOperator),
    ("invalid_request", Advice::AppOperator),
    ("login_not_found", Advice::StartAgain),
    ("login_other_browser", Advice::StartAgain),
    ("login_required", Advice::StartAgain),
    ("method_not_allowed", Advice::CheckAddress),
    ("not_allowed", Advice::AnotherAccount),
    ("not_found", Advice::CheckAddress),
    ("provider_error", Advice::TryAgain),
    ("provider_removed", Advice::AnotherWay),
    ("provider_unavailable", Advice::TryAgain),
    ("rate_limited", Advice::TryAgain),
    ("refresh_denied", Advice::StartAgain),
    ("response_invalid", Advice::StartAgain),
    ("session_expired", Advice::StartAgain),
    ("sign_in_too_old", Advice::SignInAgain),
    ("sign_in_unavailable", Advice::Administrator),
    ("store_unavailable", Advice::TryAgain),
    ("token_invalid", Advice::Administrator),
    ("user_disabled", Advice::Administrator),
    ("user_not_declared", Advice::AnotherAccount),
    ("username_invalid", Advice::Administrator),
    ("username_missing", Advice::Administrator),
    ("username_reserved", Advice::Administrator),
    ("username_taken", Advice::Administrator),
];

/// The code itself where it has texts of its own, else `unknown`.
pub(crate) fn known(code: &str) -> &'static str {
    REASONS.iter().find(|(known, _)| *known == code).map_or("unknown", |(known, _)| known)
}

/// The advice for a code; that for an unknown one is to ask an administrator.
pub(crate) fn advice(code: &str) -> Advice {
    REASONS.iter().find(|(known, _)| *known == code).map_or(Advice::Administrator, |(_, advice)| *advice)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use std::collections::BTreeSet;

    use super::*;
    use crate::decision::reason::Reason;
    use crate::pages::Lang;
    use crate::pages::messages::Catalogue;

    #[test]
    fn every_refusal_has_texts() {
        for reason in Reason::ALL {
            assert_eq!(known(reason.code()), reason.code());
        }
    }

    #[test]
    fn the_catalogue_has_the_texts_of_every_code_and_no_others() {
        let catalogue = Catalogue::load(Lang::En).unwrap();
        let in_catalogue: BTreeSet<String> =
            catalogue.keys().filter(|key| key.starts_with("reason.")).map(str::to_owned).collect();
        let codes = REASONS.iter().map(|(code, _)| *code).chain(["unknown"]);
        let wanted =
            codes.flat_map(|code| [format!("reason.{code}.title"), format!("reason.{code}.message")]).collect();
        assert_eq!(in_catalogue, wanted);
    }

    /// Every source file of the product, but those of the pages.
    fn sources(folder: &std::path::Path, out: &mut String) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("pages") {
                sources(&path, out);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                out.push_str(&std::fs::read_to_string(&path).unwrap());
            }
        }
    }

    #[test]
    fn every_code_with_texts_is_used_somewhere() {
        let mut product = String::new();
        sources(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut product);
        let unused: Vec<&str> =
            REASONS.iter().map(|(code, _)| *code).filter(|code| !product.contains(&format!("\"{code}\""))).collect();
        assert!(unused.is_empty(), "{unused:?}");
    }
}
