//! Which file uses which: paths that begin with `crate`, `self`, `super` or a child module, in imports, in expressions and
//! in macros, followed through re-exports to the file that defines the name.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};

use crate::sources::Source;

/// How many re-exports are followed, so that a cycle ends.
const RE_EXPORTS: usize = 8;

/// The dependencies between files, as paths below `src`.
pub(crate) struct Imports<'s>(BTreeMap<&'s str, BTreeSet<&'s str>>);

impl<'s> Imports<'s> {
    /// Reads them from the sources.
    pub(crate) fn of(sources: &'s [Source]) -> Self {
        let tree = Tree::of(sources);
        let mut arrows: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for source in sources {
            let targets = arrows.entry(&source.path).or_default();
            for path in names(source).used {
                let absolute = tree.absolute(&source.path, &path);
                targets.extend(absolute.and_then(|absolute| tree.file_of(&absolute, 0)));
            }
            targets.remove(source.path.as_str());
        }
        Self(arrows)
    }

    /// From each file to the files that it uses.
    pub(crate) const fn resolved(&self) -> &BTreeMap<&'s str, BTreeSet<&'s str>> {
        &self.0
    }
}

/// The first names of all paths that a file uses: other crates among them.
pub(crate) fn crates(source: &Source) -> BTreeSet<String> {
    let names = names(source);
    names
        .used
        .into_iter()
        .chain(names.re_exported.into_iter().map(|(_, path)| path))
        .filter_map(|path| path.into_iter().next())
        .collect()
}

/// The modules of the crate.
struct Tree<'s> {
    /// Module path to file.
    files: BTreeMap<Vec<String>, &'s str>,
    /// Module path and name to what it re-exports under that name.
    re_exports: BTreeMap<(Vec<String>, String), Vec<String>>,
}

impl<'s> Tree<'s> {
    fn of(sources: &'s [Source]) -> Self {
        let files = sources.iter().map(|source| (module_path(&source.path), source.path.as_str())).collect();
        let mut tree = Self { files, re_exports: BTreeMap::new() };
        for source in sources {
            for (name, path) in names(source).re_exported {
                if let Some(absolute) = tree.absolute(&source.path, &path) {
                    tree.re_exports.insert((module_path(&source.path), name), absolute);
                }
            }
        }
        tree
    }

    /// A path as seen from the crate's root; `None` when it leads to another crate.
    fn absolute(&self, file: &str, path: &[String]) -> Option<Vec<String>> {
        let mut here = module_path(file);
        let first = path.first()?;
        match first.as_str() {
            "crate" => Some(path.get(1..)?.to_vec()),
            "self" => Some([here, path.get(1..)?.to_vec()].concat()),
            "super" => {
                let up = path.iter().take_while(|name| *name == "super").count();
                here.truncate(here.len().checked_sub(up)?);
                Some([here, path.get(up..)?.to_vec()].concat())
            }
            _ => {
                let child = [here.clone(), vec![first.clone()]].concat();
                self.files.contains_key(&child).then(|| [here, path.to_vec()].concat())
            }
        }
    }

    /// The file that defines the name at the end of a path.
    fn file_of(&self, path: &[String], depth: usize) -> Option<&'s str> {
        for length in (1..=path.len()).rev() {
            let (module, rest) = path.split_at(length);
            let Some(file) = self.files.get(module) else { continue };
            let name = rest.first().cloned().unwrap_or_default();
            return match self.re_exports.get(&(module.to_vec(), name)) {
                Some(target) if depth < RE_EXPORTS => {
                    self.file_of(&[target.clone(), rest.get(1..).unwrap_or_default().to_vec()].concat(), depth + 1)
                }
                _ => Some(file),
            };
        }
        None
    }
}

/// `op/token/mod.rs` → `op`, `token`.
fn module_path(file: &str) -> Vec<String> {
    let mut parts: Vec<String> = file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if parts.last().is_some_and(|last| last == "mod") {
        parts.pop();
    }
    parts
}

/// The paths of a file.
#[derive(Default)]
struct Names {
    used: Vec<Vec<String>>,
    re_exported: Vec<(String, Vec<String>)>,
}

fn names(source: &Source) -> Names {
    let mut names = Names::default();
    source.items.iter().for_each(|item| names.visit_item(item));
    names
}

impl<'ast> Visit<'ast> for Names {
    fn visit_item_use(&mut self, import: &'ast syn::ItemUse) {
        let mut leaves = Vec::new();
        flatten(&import.tree, &[], &mut leaves);
        match import.vis {
            syn::Visibility::Inherited => self.used.extend(leaves.into_iter().map(|(_, path)| path)),
            _ => self.re_exported.extend(leaves),
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.used.push(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.visit_path(&call.path);
        paths_in(call.tokens.clone(), &mut self.used);
    }
}

/// The leaves of an import, each with its local name.
fn flatten(tree: &syn::UseTree, before: &[String], leaves: &mut Vec<(String, Vec<String>)>) {
    let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
    match tree {
        syn::UseTree::Path(path) => flatten(&path.tree, &with(&path.ident), leaves),
        syn::UseTree::Name(name) if name.ident == "self" => {
            leaves.push((before.last().cloned().unwrap_or_default(), before.to_vec()));
        }
        syn::UseTree::Name(name) => leaves.push((name.ident.to_string(), with(&name.ident))),
        syn::UseTree::Rename(name) => leaves.push((name.rename.to_string(), with(&name.ident))),
        syn::UseTree::Glob(_) => leaves.push(("*".to_owned(), before.to_vec())),
        syn::UseTree::Group(group) => group.items.iter().for_each(|item| flatten(item, before, leaves)),
    }
}

/// Paths among the tokens of a macro: `a::b::c`.
fn paths_in(tokens: TokenStream, found: &mut Vec<Vec<String>>) {
    let mut path: Vec<String> = Vec::new();
    let mut colons = 0;
    for token in tokens {
        match token {
            TokenTree::Ident(name) => {
                if colons != 2 {
                    found.push(std::mem::take(&mut path));
                }
                path.push(name.to_string());
                colons = 0;
            }
            TokenTree::Punct(mark) if mark.as_char() == ':' => colons += 1,
            TokenTree::Group(group) => {
                colons = 0;
                paths_in(group.stream(), found);
            }
            _ => colons = 0,
        }
    }
    found.push(path);
    found.retain(|path| path.len() > 1);
}
