//! Problems with the types and names in an expression, and their positions in its text.

use cel::IdedExpr;
use cel::common::ast::Expr;

use crate::expression::problem::Problem;
use crate::expression::syntax::Positions;

/// A position in the text.
#[derive(Clone, Copy)]
pub(crate) enum At {
    Whole,
    Node(u64),
    /// The name of the member that the node selects.
    Member(u64),
}

impl At {
    /// The position of a node.
    pub(crate) fn of(node: &IdedExpr) -> Self {
        match &node.expr {
            Expr::Select(select) if !select.test => Self::Member(node.id),
            _ => Self::Node(node.id),
        }
    }
}

/// A problem.
pub(crate) struct Finding {
    pub(crate) at: At,
    pub(crate) message: String,
    pub(crate) suggestion: Option<String>,
}

/// The findings with their positions, in the order of the text, without duplicates.
pub(crate) fn placed(findings: Vec<Finding>, source: &str) -> Vec<Problem> {
    if findings.is_empty() {
        return Vec::new();
    }
    let positions = Positions::of(source);
    let mut problems: Vec<Problem> = Vec::new();
    for Finding { at, message, suggestion } in findings {
        let (offset, len) = match at {
            At::Whole => (0, source.len().max(1)),
            At::Node(id) => positions.node(id),
            At::Member(id) => positions.member(id),
        };
        let problem = Problem { offset, len, message, suggestion };
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }
    problems.sort_by_key(|problem| problem.offset);
    problems
}
