//! Detects conditions whose result does not depend on who signs in.

use cel::IdedExpr;
use cel::common::ast::{CallExpr, Expr, LiteralValue, operators};

use crate::expression::catalogue::TYPES;
use crate::expression::tree::children;

/// Whether the result is the same for everybody.
pub(crate) fn is_constant(node: &IdedExpr) -> bool {
    truth(node).is_some() || !reads_something(node)
}

/// Whether an expression refers to a variable other than its own loop variables.
fn reads_something(node: &IdedExpr) -> bool {
    fn walk<'e>(node: &'e IdedExpr, own: &mut Vec<&'e str>) -> bool {
        match &node.expr {
            Expr::Ident(name) => !own.contains(&name.as_str()) && !TYPES.contains(&name.as_str()),
            Expr::Comprehension(c) => {
                if walk(&c.iter_range, own) {
                    return true;
                }
                let depth = own.len();
                own.extend([c.iter_var.as_str(), c.accu_var.as_str()]);
                let found = [&c.loop_step, &c.result].into_iter().any(|part| walk(part, own));
                own.truncate(depth);
                found
            }
            other => children(other).into_iter().any(|child| walk(child, own)),
        }
    }
    walk(node, &mut Vec::new())
}

/// The constant value of a condition, if it is apparent.
fn truth(node: &IdedExpr) -> Option<bool> {
    let Expr::Call(CallExpr { func_name, target: None, args }) = &node.expr else {
        return match &node.expr {
            Expr::Literal(LiteralValue::Boolean(value)) => Some(*value.inner()),
            _ => None,
        };
    };
    match (func_name.as_str(), args.as_slice()) {
        (operators::LOGICAL_NOT, [a]) => truth(a).map(|truth| !truth),
        (operators::LOGICAL_AND, [a, b]) => match (truth(a), truth(b)) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        },
        (operators::LOGICAL_OR, [a, b]) => match (truth(a), truth(b)) {
            (Some(true), _) | (_, Some(true)) => Some(true),
            (Some(false), Some(false)) => Some(false),
            _ => None,
        },
        (operators::CONDITIONAL, [condition, yes, no]) => match truth(condition) {
            Some(true) => truth(yes),
            Some(false) => truth(no),
            None => truth(yes).filter(|yes| truth(no) == Some(*yes)),
        },
        (operators::IN, [_, list]) => {
            matches!(&list.expr, Expr::List(list) if list.elements.is_empty()).then_some(false)
        }
        (operators::GREATER_EQUALS, [size, zero]) if is_size(size) && is_zero(zero) => Some(true),
        (operators::LESS, [size, zero]) if is_size(size) && is_zero(zero) => Some(false),
        _ => None,
    }
}

fn is_size(node: &IdedExpr) -> bool {
    matches!(&node.expr, Expr::Call(call) if call.func_name == "size")
}

fn is_zero(node: &IdedExpr) -> bool {
    matches!(&node.expr, Expr::Literal(LiteralValue::Int(number)) if *number.inner() == 0)
}
