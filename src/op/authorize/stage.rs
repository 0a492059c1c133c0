//! How far an authorization has progressed: what the steps take and return, and what the dispatcher looks at. Data only.

use crate::analysis::explain::Condition;
use crate::decision::pipeline::Decision;
use crate::decision::trace::Refusal;
use crate::op::RequestContext;
use crate::op::authorize::prepared::Prepared;
use crate::op::authorize::request::address;
use crate::op::authorize::request::model::Destination;
use crate::op::error::PageError;
use crate::op::outcome::{AccountChoice, Browser};
use crate::snapshot::client::Client;
use crate::store::SessionView;
use crate::store::ids::SessionId;
use crate::store::model::{Link, Session, User};
use crate::upstream::UpstreamError;

/// What every step may read.
#[derive(Clone, Copy)]
pub struct Flow<'a> {
    /// The HTTP request that is served.
    pub context: &'a RequestContext<'a>,
    /// The client whose authorization request it is; the snapshot's `own` for a page of the broker's own.
    pub client: &'a Client,
    /// The browser.
    pub browser: &'a Browser,
}

impl<'a> Flow<'a> {
    /// The flow of a stored request.
    ///
    /// # Errors
    /// A page: a reload removed the client or its redirect URI meanwhile.
    pub fn resumed(context: &'a RequestContext<'a>, browser: &'a Browser, to: &Destination) -> Result<Self, PageError> {
        let client = match to {
            Destination::App(to) => address::still_registered(context.snapshot, to)?,
            Destination::Own(_) => &context.snapshot.own,
        };
        Ok(Self { context, client, browser })
    }
}

/// How far a valid request has progressed.
pub enum Stage {
    /// Nothing is known of the user.
    Requested,
    /// The user must sign in, and no provider has been chosen.
    SignInDue,
    /// The user must choose a provider on the sign-in page, or the account of the session.
    ProviderDue {
        /// Whether an address was given that belongs to no provider.
        unknown_address: bool,
        /// The account that is signed in and would serve the request, where the app asks which one to use.
        account: Option<AccountChoice>,
    },
    /// The user chose the account of this session on the sign-in page.
    AccountPicked {
        /// Id of the session.
        session: SessionId,
    },
    /// The user answered on the sign-in page.
    ProviderPicked {
        /// The provider's id.
        provider: Option<String>,
        /// An address, whose domain may belong to a provider.
        email: Option<String>,
    },
    /// A provider has been chosen.
    ProviderChosen(String),
    /// The provider can be reached, and the browser may leave for it.
    Leaving(Box<Departure>),
    /// The provider failed, or what it answered failed a check.
    ProviderFailed {
        /// The provider's id.
        provider: String,
        /// How.
        error: UpstreamError,
    },
    /// The user is signed in by a session that serves the request.
    SignedIn(Box<SignedIn>),
    /// The user of this session agreed on the consent page.
    Agreed {
        /// Id of the session whose user was asked.
        session: SessionId,
    },
    /// The user refused on the consent page.
    Declined,
    /// The policy refuses.
    Refused(Box<Refused>),
    /// The policy admits the user.
    Admitted(Box<Admitted>),
    /// The user must be asked for consent.
    ConsentDue(Box<Admitted>),
    /// Everything is decided, and the answer is prepared.
    Answerable(Box<Admitted>, Box<Prepared>),
}

/// A user who is signed in.
pub struct SignedIn {
    /// The user.
    pub user: User,
    /// The session.
    pub session: Session,
    /// The upstream account that vouched.
    pub link: Link,
    /// Whether the user has just agreed on the consent page.
    pub agreed: bool,
}

impl SignedIn {
    /// From a session of the store; `None` when its upstream account is no longer linked.
    #[must_use]
    pub fn new(view: SessionView, agreed: bool) -> Option<Self> {
        let SessionView { session, user, link } = view;
        Some(Self { user, session, link: link?, agreed })
    }
}

/// A user who is admitted.
pub struct Admitted {
    /// The user.
    pub user: User,
    /// The session.
    pub session: Session,
    /// What the policy decided.
    pub decision: Decision,
    /// Whether the user has just agreed on the consent page.
    pub agreed: bool,
}

/// A refusal of the policy.
pub struct Refused {
    /// Why.
    pub refusal: Refusal,
    /// Id of the provider that vouched.
    pub provider: String,
    /// The user, where there is one.
    pub user: Option<Box<User>>,
    /// The condition that refused, with the values that it read.
    pub refused_by: Option<Condition>,
    /// The names by which somebody without an account is known at the provider.
    pub names: Vec<String>,
    /// The name that the person is known by.
    pub name: Option<String>,
}

/// What a sign-in at a provider was begun with.
pub struct Departure {
    /// The provider's id.
    pub provider: String,
    /// Where the browser goes.
    pub url: String,
    /// `state` sent to the provider.
    pub state: String,
    /// `nonce` sent to the provider.
    pub nonce: String,
    /// PKCE verifier.
    pub code_verifier: String,
    /// Redirect URI sent to the provider.
    pub redirect_uri: String,
}
