//! The built-in templates.

/// Every template: its name, and its text as built into the binary.
pub(crate) const TEMPLATES: &[(&str, &str)] = &[
    ("_account.html", include_str!("../../templates/_account.html")),
    ("_break_glass.html", include_str!("../../templates/_break_glass.html")),
    ("_console.html", include_str!("../../templates/_console.html")),
    ("_console_parts.html", include_str!("../../templates/_console_parts.html")),
    ("_demo.html", include_str!("../../templates/_demo.html")),
    ("_demo_parts.html", include_str!("../../templates/_demo_parts.html")),
    ("_parts.html", include_str!("../../templates/_parts.html")),
    ("_settings.html", include_str!("../../templates/_settings.html")),
    ("_settings_parts.html", include_str!("../../templates/_settings_parts.html")),
    ("account_activity.html", include_str!("../../templates/account_activity.html")),
    ("account_apps.html", include_str!("../../templates/account_apps.html")),
    ("account_certificates.html", include_str!("../../templates/account_certificates.html")),
    ("account_consents.html", include_str!("../../templates/account_consents.html")),
    ("account_overview.html", include_str!("../../templates/account_overview.html")),
    ("account_sessions.html", include_str!("../../templates/account_sessions.html")),
    ("base.html", include_str!("../../templates/base.html")),
    ("break_glass.html", include_str!("../../templates/break_glass.html")),
    ("confirm_action.html", include_str!("../../templates/confirm_action.html")),
    ("confirm_sign_out.html", include_str!("../../templates/confirm_sign_out.html")),
    ("consent.html", include_str!("../../templates/consent.html")),
    ("console_client.html", include_str!("../../templates/console_client.html")),
    ("console_clients.html", include_str!("../../templates/console_clients.html")),
    ("console_configuration.html", include_str!("../../templates/console_configuration.html")),
    ("console_events.html", include_str!("../../templates/console_events.html")),
    ("console_overview.html", include_str!("../../templates/console_overview.html")),
    ("console_provider.html", include_str!("../../templates/console_provider.html")),
    ("console_providers.html", include_str!("../../templates/console_providers.html")),
    ("console_role.html", include_str!("../../templates/console_role.html")),
    ("console_roles.html", include_str!("../../templates/console_roles.html")),
    ("console_sessions.html", include_str!("../../templates/console_sessions.html")),
    ("console_trace.html", include_str!("../../templates/console_trace.html")),
    ("console_user.html", include_str!("../../templates/console_user.html")),
    ("console_users.html", include_str!("../../templates/console_users.html")),
    ("console_why.html", include_str!("../../templates/console_why.html")),
    ("demo_file.html", include_str!("../../templates/demo_file.html")),
    ("demo_home.html", include_str!("../../templates/demo_home.html")),
    ("demo_refused.html", include_str!("../../templates/demo_refused.html")),
    ("demo_tokens.html", include_str!("../../templates/demo_tokens.html")),
    ("draft_form.html", include_str!("../../templates/draft_form.html")),
    ("draft_result.html", include_str!("../../templates/draft_result.html")),
    ("error.html", include_str!("../../templates/error.html")),
    ("form_post.html", include_str!("../../templates/form_post.html")),
    ("home.html", include_str!("../../templates/home.html")),
    ("persona_picker.html", include_str!("../../templates/persona_picker.html")),
    ("redirect.html", include_str!("../../templates/redirect.html")),
    ("sign_in.html", include_str!("../../templates/sign_in.html")),
    ("signed_out.html", include_str!("../../templates/signed_out.html")),
    ("signing_out.html", include_str!("../../templates/signing_out.html")),
];

/// Before the name of a template: the built-in one, for the template that replaces it.
pub(crate) const BUILT_IN: &str = "built-in/";

/// The "language" in `ui.texts` whose texts count in all.
pub(crate) const ALL_LANGUAGES: &str = "*";
