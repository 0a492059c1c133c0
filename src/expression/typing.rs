//! Checks the types in an expression when the file is loaded: operations that can only fail, conditions that are constant, and
//! names that do not exist.
//!
//! Owns the traversal. [`types`](crate::expression::types) has the signatures of functions and operators, [`Vocabulary`] has
//! the names that the file declares. An unknown type is accepted everywhere, so that no valid expression is refused.

use cel::IdedExpr;
use cel::common::ast::{CallExpr, ComprehensionExpr, Expr, LiteralValue, SelectExpr, operators};

use crate::expression::constant::is_constant;
use crate::expression::findings::{At, Finding, placed};
use crate::expression::names::nearest;
use crate::expression::place::Place;
use crate::expression::problem::Problem;
use crate::expression::tree::{children, path, text};
use crate::expression::types::{Origin, TEXT, Type, arithmetic, described, ordered, signature};
use crate::expression::variables::{attribute_type, certificate_member, variable_type};
use crate::expression::vocabulary::Vocabulary;
use crate::protocol::ClaimType;

/// All problems with the types and names in an expression.
pub(crate) fn check(place: Place, expr: &IdedExpr, source: &str, vocabulary: &Vocabulary) -> Vec<Problem> {
    let mut judge = Judge { place, vocabulary, scope: Vec::new(), negated: false, findings: Vec::new() };
    judge.judge(expr);
    placed(judge.findings, source)
}

/// All problems of a condition: its result must be a boolean, and must not be constant.
pub(crate) fn check_condition(place: Place, expr: &IdedExpr, source: &str, vocabulary: &Vocabulary) -> Vec<Problem> {
    let mut judge = Judge { place, vocabulary, scope: Vec::new(), negated: false, findings: Vec::new() };
    let given = judge.judge(expr);
    let closed = matches!(&expr.expr, Expr::Literal(LiteralValue::Boolean(value)) if !value.inner());
    if !Type::Bool.may_be(&given) {
        judge.report(At::Whole, format!("a condition is true or false, and this is {given}"), None);
    } else if !(closed && place != Place::When) && is_constant(expr) {
        let way_out =
            if closed { "remove the rule" } else { "leave it out, or test something that depends on the user" };
        judge.report(At::Whole, format!("this condition does not depend on who signs in; {way_out}"), None);
    }
    placed(judge.findings, source)
}

/// All problems of an expression for a claim of this type: its result must be able to have that type.
pub(crate) fn check_claim(
    place: Place,
    claim: ClaimType,
    expr: &IdedExpr,
    source: &str,
    vocabulary: &Vocabulary,
) -> Vec<Problem> {
    let mut judge = Judge { place, vocabulary, scope: Vec::new(), negated: false, findings: Vec::new() };
    let given = judge.judge(expr);
    if judge.findings.is_empty() && !given.may_be_claim(claim) {
        let message = format!("this claim is {}, and the expression gives {given}", described(claim));
        judge.report(At::Whole, message, None);
    }
    placed(judge.findings, source)
}

struct Judge<'a> {
    place: Place,
    vocabulary: &'a Vocabulary,
    /// Loop variables in scope with their types, innermost last.
    scope: Vec<(&'a str, Type)>,
    /// Whether the traversal is inside a negation, where testing for a role that nobody has excludes nobody.
    negated: bool,
    findings: Vec<Finding>,
}

impl<'a> Judge<'a> {
    fn report(&mut self, at: At, message: String, suggestion: Option<String>) {
        self.findings.push(Finding { at, message, suggestion });
    }

    fn judge(&mut self, node: &'a IdedExpr) -> Type {
        match &node.expr {
            Expr::Literal(literal) => match literal {
                LiteralValue::Boolean(_) => Type::Bool,
                LiteralValue::Bytes(_) => Type::Bytes,
                LiteralValue::Double(_) => Type::Double,
                LiteralValue::Int(_) => Type::Int,
                LiteralValue::Null => Type::Null,
                LiteralValue::String(_) => TEXT,
                LiteralValue::UInt(_) => Type::Uint,
            },
            Expr::Ident(name) => self.variable(name),
            Expr::Select(select) => self.select(node.id, select),
            Expr::Call(call) => self.call(node.id, call),
            Expr::Comprehension(comprehension) => self.comprehension(comprehension),
            Expr::List(list) => {
                let items = list.elements.iter().map(|item| self.judge(item)).reduce(Type::or);
                let plain = list.optional_indices.is_empty();
                Type::list(items.filter(|_| plain).unwrap_or(Type::Any))
            }
            Expr::Map(_) => {
                children(&node.expr).into_iter().for_each(|child| drop(self.judge(child)));
                Type::Map
            }
            Expr::Struct(_) | Expr::Unspecified => Type::Any,
        }
    }

    fn variable(&self, name: &str) -> Type {
        let own = self.scope.iter().rev().find(|(own, _)| *own == name);
        own.map_or_else(|| variable_type(self.place, self.vocabulary, name), |(_, known)| known.clone())
    }

    /// Whether a node is the variable `user` itself.
    fn is_user(&self, node: &IdedExpr) -> bool {
        let own = |name: &str| self.scope.iter().any(|(own, _)| *own == name);
        matches!(&node.expr, Expr::Ident(name) if name == "user" && !own(name)) && self.place.variable("user").is_some()
    }

    fn select(&mut self, id: u64, select: &'a SelectExpr) -> Type {
        if self.is_user(&select.operand) {
            let at = if select.test { At::Node(id) } else { At::Member(id) };
            let given = self.attribute(at, &select.field);
            return if select.test { Type::Bool } else { given };
        }
        let operand = self.judge(&select.operand);
        let certificate = path(&select.operand).filter(|_| self.place == Place::Certificate && self.scope.is_empty());
        if let Some((message, near)) = certificate.and_then(|object| certificate_member(&object, &select.field)) {
            self.report(if select.test { At::Node(id) } else { At::Member(id) }, message, near);
        } else if !matches!(operand, Type::Any | Type::Map | Type::Optional | Type::Meta) {
            self.report(At::Member(id), format!("{operand} has no members, and so no {}", select.field), None);
        }
        if select.test { Type::Bool } else { Type::Any }
    }

    /// `user.X`
    fn attribute(&mut self, at: At, name: &str) -> Type {
        let vocabulary = self.vocabulary;
        if name == "roles" && self.place != Place::Allow {
            self.report(at, "`user` has no roles here".to_owned(), Some("roles".to_owned()));
            return Type::list(TEXT);
        }
        if !vocabulary.attributes.has(name) {
            let near = nearest(name, vocabulary.attributes.known());
            let message = format!("no provider maps the attribute {name}: map it in a provider's claims");
            self.report(at, message, near.map(|near| format!("user.{near}")));
            return Type::Any;
        }
        attribute_type(self.place, vocabulary, name)
    }

    fn comprehension(&mut self, c: &'a ComprehensionExpr) -> Type {
        let range = self.judge(&c.iter_range);
        let item = match &range {
            Type::List(item) => (**item).clone(),
            Type::Any | Type::Map | Type::Optional => Type::Any,
            other => {
                self.report(At::of(&c.iter_range), format!("this is {other}; a loop goes through a list"), None);
                Type::Any
            }
        };
        let depth = self.scope.len();
        self.scope.push((&c.iter_var, item));
        self.scope.push((&c.accu_var, Type::Any));
        self.judge(&c.loop_step);
        let given = match &c.accu_init.expr {
            Expr::Literal(LiteralValue::Boolean(_)) => Type::Bool,
            Expr::List(_) => Type::list(added(&c.loop_step, &c.accu_var).map_or(Type::Any, |node| self.judge(node))),
            _ => self.judge(&c.result),
        };
        self.scope.truncate(depth);
        given
    }

    fn call(&mut self, id: u64, call: &'a CallExpr) -> Type {
        match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::LOGICAL_NOT, [a]) => {
                self.negated = !self.negated;
                let given = self.bools(&[a]);
                self.negated = !self.negated;
                given
            }
            (operators::LOGICAL_AND | operators::LOGICAL_OR, [a, b]) => self.bools(&[a, b]),
            (operators::CONDITIONAL, [condition, yes, no]) => {
                self.bools(&[condition]);
                let yes = self.judge(yes);
                yes.or(self.judge(no))
            }
            (operators::EQUALS | operators::NOT_EQUALS, [a, b]) => self.equality(id, a, b),
            (operators::IN, [item, list]) => self.membership(id, item, list),
            (operators::LESS | operators::LESS_EQUALS | operators::GREATER | operators::GREATER_EQUALS, [a, b]) => {
                let (left, right) = (self.judge(a), self.judge(b));
                if !ordered(&left, &right) {
                    self.report(At::Node(id), format!("{left} and {right} can't be ordered: this can only fail"), None);
                }
                Type::Bool
            }
            (
                operator @ (operators::ADD
                | operators::SUBSTRACT
                | operators::MULTIPLY
                | operators::DIVIDE
                | operators::MODULO),
                [a, b],
            ) => {
                let (left, right) = (self.judge(a), self.judge(b));
                arithmetic(operator, &left, &right).unwrap_or_else(|| {
                    let sign = operator.trim_matches('_');
                    self.report(At::Node(id), format!("{sign} can't be applied to {left} and {right}"), None);
                    Type::Any
                })
            }
            (operators::INDEX | operators::OPT_INDEX | operators::OPT_SELECT, [operand, key]) => {
                self.index(id, &call.func_name, operand, key)
            }
            (name, args) if name.starts_with(|c: char| c.is_ascii_alphabetic()) => self.function(id, call, name, args),
            (_, args) => {
                args.iter().for_each(|arg| drop(self.judge(arg)));
                Type::Any
            }
        }
    }

    fn bools(&mut self, operands: &[&'a IdedExpr]) -> Type {
        for operand in operands {
            let given = self.judge(operand);
            if !Type::Bool.may_be(&given) {
                self.report(At::of(operand), format!("this must be true or false, and is {given}"), None);
            }
        }
        Type::Bool
    }

    fn index(&mut self, id: u64, operator: &str, operand: &'a IdedExpr, key: &'a IdedExpr) -> Type {
        let optional = operator != operators::INDEX;
        if let Some(name) = text(key).filter(|_| self.is_user(operand)) {
            let at = if operator == operators::OPT_SELECT { At::Member(id) } else { At::Node(key.id) };
            let given = self.attribute(at, name);
            return if optional { Type::Optional } else { given };
        }
        let (given, by) = (self.judge(operand), self.judge(key));
        let item = match &given {
            Type::List(item) if Type::Int.may_be(&by) => (**item).clone(),
            Type::Any | Type::Map | Type::Optional => Type::Any,
            _ => {
                self.report(At::Node(id), format!("{given} can't be indexed with {by}"), None);
                Type::Any
            }
        };
        if optional { Type::Optional } else { item }
    }

    fn function(&mut self, id: u64, call: &'a CallExpr, name: &str, args: &'a [IdedExpr]) -> Type {
        let (on, args) = match (&call.target, args) {
            (Some(target), args) => (Some(&**target), args),
            (None, [first, rest @ ..]) => (Some(first), rest),
            (None, []) => (None, args),
        };
        // A namespace, as in `optional.of(x)`, is not a value.
        let namespace = matches!(on.map(|on| &on.expr), Some(Expr::Ident(name)) if self.place.variable(name).is_none()
            && matches!(name.as_str(), "optional" | "strings"));
        let given = on.filter(|_| !namespace).map_or(Type::Any, |on| self.judge(on));
        let arguments: Vec<Type> = args.iter().map(|arg| self.judge(arg)).collect();
        let Some((takes, takes_arguments, result)) = signature(name, &given).filter(|_| !namespace) else {
            return if name.starts_with("of") || name == "none" { Type::Optional } else { Type::Any };
        };
        if !takes.accepts(&given) {
            let suggestion = on.and_then(|on| self.instead(name, on, &given, args));
            let what = on.map_or_else(String::new, |on| self.named(on));
            let message = format!("{name}() takes {}, and {what} is {given}: this can only fail", takes.described());
            self.report(on.map_or(At::Node(id), At::of), message, suggestion);
            return result;
        }
        for (argument, arg) in arguments.iter().zip(args) {
            if !takes_arguments.accepts(argument) {
                let wanted = takes_arguments.described();
                self.report(At::of(arg), format!("{name}() is given {argument} where it takes {wanted}"), None);
            }
        }
        match (name, args) {
            ("intersects", [other]) => self.compare(&given, other),
            ("contains" | "startsWith" | "endsWith", [part]) => self.cased(&given, part),
            _ => {}
        }
        result
    }

    /// Suggests how to apply a function for strings to a list of them.
    fn instead(&self, name: &str, on: &IdedExpr, given: &Type, args: &[IdedExpr]) -> Option<String> {
        let list = path(on)?;
        let quoted = |node| text(node).map(|text| format!("'{text}'"));
        match (given, name, args) {
            (Type::List(_), "contains", [part]) => Some(format!("{} in {list}", quoted(part)?)),
            (Type::List(_), "startsWith" | "endsWith" | "matches", [part]) => {
                Some(format!("{list}.exists(x, x.{name}({}))", quoted(part)?))
            }
            (Type::List(_), "lower" | "upper" | "lowerAscii" | "upperAscii" | "trim" | "domain", []) => {
                Some(format!("{list}.map(x, x.{name}())"))
            }
            (Type::Text(..), "intersects", [_]) => Some(format!("{list} in [...]")),
            _ => None,
        }
    }

    /// A node, as named in a message.
    fn named(&self, node: &IdedExpr) -> String {
        path(node).map_or_else(|| "this".to_owned(), |path| format!("`{path}`"))
    }

    fn equality(&mut self, id: u64, a: &'a IdedExpr, b: &'a IdedExpr) -> Type {
        let (left, right) = (self.judge(a), self.judge(b));
        if !left.may_be(&right) {
            let list_and_text = match (&left, &right) {
                (Type::List(_), Type::Text(..)) => path(a).zip(text(b)),
                (Type::Text(..), Type::List(_)) => path(b).zip(text(a)),
                _ => None,
            };
            let suggestion = list_and_text.map(|(list, text)| format!("'{text}' in {list}"));
            self.report(At::Node(id), format!("{left} never equals {right}"), suggestion);
            return Type::Bool;
        }
        self.compare(&left, b);
        self.compare(&right, a);
        Type::Bool
    }

    fn membership(&mut self, id: u64, item: &'a IdedExpr, list: &'a IdedExpr) -> Type {
        let (one, all) = (self.judge(item), self.judge(list));
        match &all {
            Type::List(of) if !one.may_be(of) => {
                self.report(At::Node(id), format!("{one} is never in {all}"), None);
            }
            Type::List(of) => {
                self.compare(of, item);
                self.compare(&one, list);
            }
            Type::Any | Type::Map | Type::Optional => {}
            Type::Text(..) => {
                let suggestion = path(list).zip(text(item)).map(|(path, text)| format!("{path} == '{text}'"));
                self.report(
                    At::Node(id),
                    "`in` needs a list, and this is a string: this can only fail".to_owned(),
                    suggestion,
                );
            }
            other => self.report(At::Node(id), format!("`in` needs a list, and this is {other}"), None),
        }
        Type::Bool
    }

    /// Checks a literal, or a list of them, that is compared with a value of this type or with the items of such a list.
    fn compare(&mut self, with: &Type, node: &'a IdedExpr) {
        if let Expr::List(list) = &node.expr {
            let with = if let Type::List(item) = with { item } else { with };
            return list.elements.iter().for_each(|element| self.compare(with, element));
        }
        self.cased(with, node);
        let (Type::Text(_, origin), Some(text)) = (with, text(node)) else { return };
        let vocabulary = self.vocabulary;
        let (names, what) = match origin {
            Origin::Elsewhere => return,
            Origin::AssertedRole => (&vocabulary.asserted, "no provider may assert the role"),
            Origin::Role => (&vocabulary.roles, "nothing can give the role"),
            Origin::Permission => (&vocabulary.permissions, "no role has the permission"),
            Origin::Scope => (&vocabulary.scopes, "there is no scope"),
            Origin::Provider => (&vocabulary.providers, "there is no provider"),
            Origin::Client => (&vocabulary.clients, "there is no client"),
        };
        let excluded = self.negated && matches!(origin, Origin::Role | Origin::AssertedRole);
        if !(names.has(text) || excluded && vocabulary.declared_roles.has(text)) {
            let way_out = match origin {
                Origin::AssertedRole => ": add it to asserted_roles",
                Origin::Role => ": give it in role_rules, asserted_roles or [users]",
                _ => "",
            };
            let near = nearest(text, names.known()).map(|near| format!("'{near}'"));
            self.report(At::of(node), format!("{what} {text:?}{way_out}"), near);
        }
    }

    /// Reports a literal whose case the value never has.
    fn cased(&mut self, with: &Type, node: &IdedExpr) {
        let (Type::Text(case, _), Some(text)) = (with, text(node)) else { return };
        if let Some(corrected) = case.corrected(text) {
            let message =
                format!("{text:?} is compared with a value that is always in {}: they are never equal", case.name());
            self.report(At::of(node), message, Some(format!("'{corrected}'")));
        }
    }
}

/// The type of the item that a step of `map` or `filter` appends to the list.
fn added<'e>(step: &'e IdedExpr, accumulator: &str) -> Option<&'e IdedExpr> {
    let Expr::Call(call) = &step.expr else { return None };
    match (call.func_name.as_str(), call.args.as_slice()) {
        (operators::CONDITIONAL, [_, yes, _]) => added(yes, accumulator),
        (operators::ADD, [list, more]) => match (&list.expr, &more.expr) {
            (Expr::Ident(name), Expr::List(more)) if name == accumulator => more.elements.first(),
            _ => None,
        },
        _ => None,
    }
}
