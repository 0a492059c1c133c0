//! Rewrites a checked expression so that evaluating it stays within the budget.
//!
//! `cel` evaluates without a budget of its own. After the rewriting
//! - a loop is charged for all of its iterations, and for copying its elements, before it starts (`@range`);
//! - copying a value that is stored elsewhere is charged by its size first (`@copy`), and so is reading one in a loop
//!   (`@scan`); inside a loop, the loop's own variable has already been charged;
//! - operations that build larger values from smaller ones (`+`, `replace`, `join`, `split`), run patterns, or compare a
//!   value with many (`in`) are done by functions of ours ([`metered`](crate::expression::metered)), which charge first;
//! - outside of loops, reads of a value are counted here ([`rewrite`] returns how often), and each evaluation starts with
//!   that many reads of its variables charged, so that a simple condition needs no extra calls.
//!
//! None of these names can be written in an expression.

use cel::IdedExpr;
use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, LiteralValue, operators};

use crate::expression::catalogue::{
    CONCAT, COPY, FINISH, JOIN, KEY, MATCHES, MEMBER, RANGE, REPLACE, SCAN, SPLIT, is_ours,
};
use crate::expression::limits::SCANNED_PER_UNIT;
use crate::expression::tree::children;

/// Rewrites an expression, and returns how often it reads a whole value outside of loops.
pub(crate) fn rewrite(expr: &mut IdedExpr) -> u64 {
    let mut meter = Meter { scans: 0 };
    meter.walk(expr, None);
    wrap(expr, FINISH, None);
    meter.scans
}

struct Meter {
    scans: u64,
}

/// The variable of the innermost loop, if any.
type Loop<'a> = Option<&'a str>;

impl Meter {
    fn walk(&mut self, node: &mut IdedExpr, var: Loop<'_>) {
        match &mut node.expr {
            Expr::Call(call) => {
                self.call(call, var);
                let copies = matches!(call.func_name.as_str(), operators::OPT_SELECT | operators::OPT_INDEX);
                if copies && !covered(node, var) {
                    wrap(node, COPY, None);
                }
            }
            Expr::Comprehension(comprehension) => self.comprehension(comprehension, var),
            Expr::List(list) => list.elements.iter_mut().for_each(|element| self.element(element, var)),
            Expr::Map(map) => map.entries.iter_mut().for_each(|entry| match &mut entry.expr {
                EntryExpr::StructField(field) => self.element(&mut field.value, var),
                EntryExpr::MapEntry(entry) => {
                    self.element(&mut entry.key, var);
                    self.element(&mut entry.value, var);
                }
            }),
            Expr::Select(select) => self.walk(&mut select.operand, var),
            Expr::Struct(_) | Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => {}
        }
    }

    /// An element of a list or an object is copied into it, unless it is created in place.
    fn element(&mut self, element: &mut IdedExpr, var: Loop<'_>) {
        self.walk(element, var);
        copy(element, var);
    }

    fn comprehension(&mut self, c: &mut ComprehensionExpr, var: Loop<'_>) {
        self.walk(&mut c.iter_range, var);
        self.walk(&mut c.accu_init, var);
        let weight = 1 + weight(&c.loop_step) / 8;
        self.walk(&mut c.loop_step, Some(&c.iter_var));
        wrap(&mut c.iter_range, RANGE, Some(weight));
    }

    fn call(&mut self, call: &mut CallExpr, var: Loop<'_>) {
        if call.func_name == operators::ADD {
            return self.sum(call, var);
        }
        let operands = call.target.as_deref_mut().into_iter().chain(&mut call.args);
        operands.for_each(|operand| self.walk(operand, var));
        match (call.func_name.as_str(), call.target.is_some()) {
            (operators::EQUALS | operators::NOT_EQUALS, _) => equality(call, var),
            (operators::LESS | operators::LESS_EQUALS | operators::GREATER | operators::GREATER_EQUALS, _) => {
                if var.is_some() || !call.args.iter().any(is_literal) {
                    call.args.iter_mut().for_each(|side| copy(side, var));
                }
            }
            (operators::SUBSTRACT | operators::MULTIPLY | operators::DIVIDE | operators::MODULO, _) => {
                self.arithmetic(call, var);
            }
            (operators::IN, _) => self.membership(call, var),
            (operators::INDEX, _) => {
                if let [_, index] = call.args.as_mut_slice()
                    && (!is_literal(index) || matches!(index.expr, Expr::Literal(LiteralValue::Double(_))))
                {
                    wrap(index, KEY, None);
                }
            }
            ("of" | "ofNonZeroValue", true) => call.args.iter_mut().for_each(|value| copy(value, var)),
            ("matches", _) => renamed(call, MATCHES),
            ("replace", true) => renamed(call, REPLACE),
            ("join", true) => renamed(call, JOIN),
            ("split", true) => renamed(call, SPLIT),
            (name, _) if !name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') || is_operator(name) => {}
            ("or" | "orValue" | "value" | "hasValue" | "type" | "dyn", _) => {}
            (name, _) if is_ours(name) => {}
            (name, _) => {
                let quick = matches!(name, "size" | "contains" | "startsWith" | "endsWith");
                let read = call.target.as_deref_mut().or(call.args.first_mut());
                read.into_iter().for_each(|read| if quick { self.scan(read, var) } else { self.transform(read, var) });
            }
        }
    }

    /// `a + b + c` in one step: this avoids intermediate texts, and is charged before the result is built.
    fn sum(&mut self, call: &mut CallExpr, var: Loop<'_>) {
        if accumulates(call) {
            call.args.iter_mut().skip(1).for_each(|appended| self.walk(appended, var));
            return;
        }
        if call.args.iter().any(is_number) {
            call.args.iter_mut().for_each(|arg| self.walk(arg, var));
            return self.arithmetic(call, var);
        }
        let mut operands = Vec::new();
        flatten(std::mem::take(&mut call.args), &mut operands);
        operands.iter_mut().for_each(|operand| self.walk(operand, var));
        *call = CallExpr { func_name: CONCAT.to_owned(), target: None, args: operands };
    }

    /// If the types differ, the error message of `cel` copies both operands.
    fn arithmetic(&mut self, call: &mut CallExpr, var: Loop<'_>) {
        if var.is_some() {
            call.args.iter_mut().for_each(|side| copy(side, var));
        } else {
            self.scans += 1;
        }
    }

    /// `x in list` compares `x` with every element, and `cel` copies it for each that is a number.
    fn membership(&mut self, call: &mut CallExpr, var: Loop<'_>) {
        let [item, list] = call.args.as_mut_slice() else { return };
        if is_literal(item) {
            self.scan(list, var);
        } else {
            call.func_name = MEMBER.to_owned();
        }
    }

    /// A value from which a function creates another one: it is read in full, and usually copied.
    fn transform(&mut self, node: &mut IdedExpr, var: Loop<'_>) {
        if var.is_some() {
            copy(node, var);
        } else if may_borrow(node) {
            self.scans += SCANNED_PER_UNIT / 2;
        }
    }

    fn scan(&mut self, node: &mut IdedExpr, var: Loop<'_>) {
        if is_literal(node) || !may_borrow(node) || covered(node, var) {
            return;
        }
        if var.is_some() {
            wrap(node, SCAN, None);
        } else {
            self.scans += 1;
        }
    }
}

/// If the left side is a number, `cel` copies the right side, unless that is a number too.
fn equality(call: &mut CallExpr, var: Loop<'_>) {
    let [left, right] = call.args.as_mut_slice() else { return };
    if is_literal(right) || (is_literal(left) && !is_number(left)) {
        return;
    }
    if var.is_some() && may_borrow(left) && !covered(left, var) {
        wrap(left, SCAN, None);
    }
    copy(right, var);
}

/// Turns a call `x.f(y)` into one of the function `name`, with `x` as its first argument.
fn renamed(call: &mut CallExpr, name: &str) {
    if let Some(target) = call.target.take() {
        call.args.insert(0, *target);
    }
    call.func_name = name.to_owned();
}

fn flatten(args: Vec<IdedExpr>, operands: &mut Vec<IdedExpr>) {
    let mut args = args.into_iter();
    match args.next() {
        Some(IdedExpr { expr: Expr::Call(left), .. })
            if left.func_name == operators::ADD && !accumulates(&left) && !left.args.iter().any(is_number) =>
        {
            flatten(left.args, operands);
        }
        left => operands.extend(left),
    }
    operands.extend(args);
}

/// `@result + ...`: the step of a loop, which `cel` executes in place as long as its shape is preserved.
fn accumulates(call: &CallExpr) -> bool {
    matches!(call.args.first().map(|first| &first.expr), Some(Expr::Ident(name)) if name.starts_with('@'))
}

fn is_operator(name: &str) -> bool {
    name.contains(|c: char| !c.is_ascii_alphanumeric() && c != '_')
}

fn is_literal(node: &IdedExpr) -> bool {
    matches!(node.expr, Expr::Literal(_))
}

fn is_number(node: &IdedExpr) -> bool {
    matches!(node.expr, Expr::Literal(LiteralValue::Int(_) | LiteralValue::UInt(_) | LiteralValue::Double(_)))
}

/// Whether a node may refer to a value that is stored elsewhere, which may be large and has not been charged.
fn may_borrow(node: &IdedExpr) -> bool {
    match &node.expr {
        Expr::Ident(_) => true,
        Expr::Select(select) => !select.test,
        Expr::Call(call) => matches!(
            call.func_name.as_str(),
            operators::INDEX | operators::CONDITIONAL | "or" | "orValue" | "value" | "dyn" | "string" | "asList"
        ),
        _ => false,
    }
}

/// Whether a node is the variable of the innermost loop or a part of it, which the loop has been charged for.
fn covered(node: &IdedExpr, var: Loop<'_>) -> bool {
    let Some(var) = var else { return false };
    let mut node = node;
    loop {
        node = match &node.expr {
            Expr::Ident(name) => return name == var,
            Expr::Select(select) => &select.operand,
            Expr::Call(call) => match (call.func_name.as_str(), call.args.as_slice()) {
                (operators::INDEX | operators::OPT_INDEX | operators::OPT_SELECT, [operand, _]) => operand,
                _ => return false,
            },
            _ => return false,
        };
    }
}

fn copy(node: &mut IdedExpr, var: Loop<'_>) {
    if may_borrow(node) && !covered(node, var) {
        wrap(node, COPY, None);
    }
}

/// How many nodes a loop evaluates for each element, without those of inner loops, which are charged separately.
fn weight(step: &IdedExpr) -> u64 {
    let mut pending = vec![step];
    let mut nodes = 0;
    while let Some(node) = pending.pop() {
        nodes += 1;
        match &node.expr {
            Expr::Comprehension(inner) => pending.push(&inner.iter_range),
            other => pending.extend(children(other)),
        }
    }
    nodes
}

fn wrap(node: &mut IdedExpr, function: &str, number: Option<u64>) {
    let inner = std::mem::take(node);
    node.id = inner.id;
    let number = number.map(|number| {
        let literal = LiteralValue::Int(i64::try_from(number).unwrap_or(i64::MAX).into());
        IdedExpr { id: inner.id, expr: Expr::Literal(literal) }
    });
    let args = std::iter::once(inner).chain(number).collect();
    node.expr = Expr::Call(CallExpr { func_name: function.to_owned(), target: None, args });
}
