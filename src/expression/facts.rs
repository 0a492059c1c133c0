//! Facts that are known about an expression without evaluating it: the names that it tests for, and the tables that it uses.

use cel::IdedExpr;
use cel::common::ast::Expr;

use crate::expression::tree::{children, path, text};

/// What an expression tests for, as far as its syntax shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// `'x' in groups`, `groups.exists(g, g == 'x')` and similar tests: the variable and the string.
    pub members: Vec<(String, String)>,
    /// `provider == 'x'` and `provider in ['x']`: the variable and the string.
    pub equals: Vec<(String, String)>,
    /// Tables of `lookup('x')`.
    pub tables: Vec<String>,
    /// Every string that is written in it, in negated tests too.
    pub literals: Vec<String>,
}

/// Collects the facts of a parsed expression.
pub(crate) fn of(expr: &IdedExpr) -> Facts {
    let mut facts = Facts { literals: literals(expr), ..Facts::default() };
    walk(expr, &mut Vec::new(), &mut facts);
    facts
}

fn literals(expr: &IdedExpr) -> Vec<String> {
    let (mut found, mut pending) = (Vec::new(), vec![expr]);
    while let Some(node) = pending.pop() {
        found.extend(text(node).map(str::to_owned));
        pending.extend(children(&node.expr));
    }
    found
}

/// `loops` are the loop variables, each with the list that it iterates over.
fn walk<'e>(node: &'e IdedExpr, loops: &mut Vec<(&'e str, String)>, facts: &mut Facts) {
    match &node.expr {
        Expr::Call(call) if call.func_name == "!_" => return,
        Expr::Call(call) => call_facts(&call.func_name, &call.args, loops, facts),
        Expr::Comprehension(comprehension) => {
            if let Some(list) = path(&comprehension.iter_range) {
                loops.push((&comprehension.iter_var, list));
                children(&node.expr).into_iter().for_each(|child| walk(child, loops, facts));
                loops.pop();
                return;
            }
        }
        _ => {}
    }
    children(&node.expr).into_iter().for_each(|child| walk(child, loops, facts));
}

fn call_facts(function: &str, args: &[IdedExpr], loops: &[(&str, String)], facts: &mut Facts) {
    match (function, args) {
        ("@in", [item, list]) => {
            if let (Some(text), Some(list)) = (text(item), path(list)) {
                facts.members.push((list, text.to_owned()));
            } else if let (Some(variable), Expr::List(list)) = (path(item), &list.expr) {
                let texts = list.elements.iter().filter_map(text);
                facts.equals.extend(texts.map(|text| (variable.clone(), text.to_owned())));
            }
        }
        ("_==_", [left, right]) => {
            for (variable, literal) in [(left, right), (right, left)] {
                let (Some(variable), Some(text)) = (path(variable), text(literal)) else { continue };
                match loops.iter().rev().find(|(name, _)| *name == variable) {
                    Some((_, list)) => facts.members.push((list.clone(), text.to_owned())),
                    None => facts.equals.push((variable, text.to_owned())),
                }
            }
        }
        ("lookup", [table]) => facts.tables.extend(text(table).map(str::to_owned)),
        _ => {}
    }
}
