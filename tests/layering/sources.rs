//! The source files of the crate, without their tests.

use std::path::{Path, PathBuf};

/// One source file.
pub(crate) struct Source {
    /// Its path below `src`, with forward slashes.
    pub(crate) path: String,
    /// Its contents, without tests.
    pub(crate) items: Vec<syn::Item>,
    /// How many lines it has, without its test module.
    pub(crate) lines: usize,
}

impl Source {
    /// Its top-level module.
    pub(crate) fn module(&self) -> &str {
        module(&self.path)
    }
}

/// The top-level module of a path below `src`.
pub(crate) fn module(path: &str) -> &str {
    path.split('/').next().unwrap_or_default().trim_end_matches(".rs")
}

/// Reads every source file that is part of the product.
pub(crate) fn read() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files.iter().map(|file| parse(&root, file)).filter(|source| !is_test(&source.path)).collect()
}

/// Test modules in files of their own: `tests.rs`, `testing.rs`, and everything in a folder `tests`.
fn is_test(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.ends_with("/testing.rs") || path.contains("/tests/")
}

fn parse(root: &Path, file: &PathBuf) -> Source {
    let below = file.strip_prefix(root).unwrap().components();
    let path = below.map(|part| part.as_os_str().to_string_lossy().into_owned()).collect::<Vec<_>>().join("/");
    let text = std::fs::read_to_string(file).unwrap();
    let items = syn::parse_file(&text).map_err(|error| format!("src/{path}: {error}")).unwrap().items;
    // The test module is always the last item of its file here.
    let lines = text.split("#[cfg(test)]\n").next().unwrap_or_default().lines().count();
    Source { path, items: items.into_iter().filter(|item| !is_test_item(item)).collect(), lines }
}

fn is_test_item(item: &syn::Item) -> bool {
    let attributes = match item {
        syn::Item::Mod(module) => &module.attrs,
        syn::Item::Use(import) => &import.attrs,
        syn::Item::Fn(function) => &function.attrs,
        syn::Item::Impl(implementation) => &implementation.attrs,
        _ => return false,
    };
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg") && attribute.parse_args::<syn::Ident>().is_ok_and(|name| name == "test")
    })
}
