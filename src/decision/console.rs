//! Whether a person may open the operators' console.

use crate::decision::app::{AppRequest, app_bindings};
use crate::decision::claims::unmet;
use crate::decision::pipeline::Decision;
use crate::decision::policy::Policy;
use crate::decision::reason::Reason;
use crate::decision::trace::{Refusal, Stage, Trace};
use crate::expression::Variable;

/// What the variable `client` is in `console.require`.
const CLIENT: &str = "console";

/// Decides whether a person who is let in may open the console. `acr` and `amr` are those of the session.
///
/// # Errors
/// The trace of the refusal: `console.require` does not hold, or there is no console.
pub fn admit(policy: &Policy, decision: &Decision, acr: Option<&str>, amr: &[String]) -> Result<Trace, Refusal> {
    let mut trace = decision.trace.clone();
    let reason = Reason::ConsoleRequirementNotMet;
    let provider = decision.provider.as_str();
    let hidden = policy.providers.get(provider).is_some_and(|provider| provider.hidden);
    let Some(console) = policy.console.as_ref().filter(|_| !hidden) else {
        let text = "the console is not declared, or the provider is hidden";
        return Err(trace.refuse(Stage::Client, None, reason, text));
    };
    let request = AppRequest { client: CLIENT, acr, amr, ..AppRequest::default() };
    let subject = decision.subject();
    let bindings = app_bindings(policy, &console.reads, provider, &subject, &request, &[]);
    let bindings = bindings.with("sub", Variable::text(&subject.ids.sub));
    let source = Some(&console.require.source);
    match console.require.expression.holds(&bindings) {
        Ok(true) => {
            trace.add(Stage::Client, source, "console.require holds");
            Ok(trace)
        }
        outcome => Err(trace.refuse(Stage::Client, source, reason, unmet("console.require", outcome))),
    }
}
