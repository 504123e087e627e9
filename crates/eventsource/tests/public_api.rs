//! No type of the HTTP library, the runtime or the TLS library is in the public
//! API: whoever replaces one of them breaks nobody. Read from the sources, item
//! by item.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use syn::visit::{self, Visit};
use syn::{Fields, ImplItem, Item, TraitItem, Type, UseTree, Visibility};

/// Whose types the public API may name.
const ALLOWED: [&str; 9] = [
    "std",
    "core",
    "bytes",
    "futures_core",
    "http",
    "serde",
    "serde_json",
    "tidings_codec",
    "url",
];

/// Adapters, whose point it is to take a type of another crate: that of
/// `reqwest` is made of a client that the application has.
const ADAPTERS: [(&str, &str); 1] = [("transport/reqwest.rs", "reqwest")];

/// What of a file can be seen from outside, as far as this file says.
struct Signatures<'a> {
    /// By the name that it has in the file, the crate that it comes from.
    imports: HashMap<String, String>,
    /// The names of all modules, which paths may begin with.
    modules: &'a BTreeSet<String>,
    public_types: &'a BTreeSet<String>,
    adapts: Option<&'static str>,
    foreign: Vec<String>,
}

impl Signatures<'_> {
    fn items(&mut self, items: &[Item]) {
        for item in items {
            if let Item::Use(item) = item {
                let leading = item.leading_colon.is_some();
                note_imports(&item.tree, None, leading, &mut self.imports);
            }
        }
        for item in items {
            self.item(item);
        }
    }

    fn item(&mut self, item: &Item) {
        match item {
            Item::Use(item) if is_public(&item.vis) => {
                let mut exported = HashMap::new();
                let leading = item.leading_colon.is_some();
                note_imports(&item.tree, None, leading, &mut exported);
                for root in exported.values() {
                    self.check_root(root);
                }
            }
            Item::Fn(item) if is_public(&item.vis) => self.visit_signature(&item.sig),
            Item::Type(item) if is_public(&item.vis) => self.visit_type(&item.ty),
            Item::Const(item) if is_public(&item.vis) => self.visit_type(&item.ty),
            Item::Struct(item) if is_public(&item.vis) => {
                self.visit_generics(&item.generics);
                self.fields(&item.fields, false);
            }
            Item::Enum(item) if is_public(&item.vis) => {
                self.visit_generics(&item.generics);
                for variant in &item.variants {
                    self.fields(&variant.fields, true);
                }
            }
            Item::Trait(item) if is_public(&item.vis) => self.trait_(item),
            Item::Impl(item) => self.impl_(item),
            Item::Mod(item) if !is_for_tests(item) => {
                if let Some((_, items)) = &item.content {
                    self.items(items);
                }
            }
            _ => {}
        }
    }

    fn fields(&mut self, fields: &Fields, all: bool) {
        for field in fields {
            if all || is_public(&field.vis) {
                self.visit_type(&field.ty);
            }
        }
    }

    fn trait_(&mut self, item: &syn::ItemTrait) {
        self.visit_generics(&item.generics);
        for bound in &item.supertraits {
            self.visit_type_param_bound(bound);
        }
        for item in &item.items {
            match item {
                TraitItem::Fn(item) => self.visit_signature(&item.sig),
                TraitItem::Type(item) => self.visit_trait_item_type(item),
                TraitItem::Const(item) => self.visit_type(&item.ty),
                _ => {}
            }
        }
    }

    fn impl_(&mut self, item: &syn::ItemImpl) {
        let Type::Path(of) = &*item.self_ty else {
            return;
        };
        let of = of.path.segments.last().map(|last| last.ident.to_string());
        if !of.is_some_and(|of| self.public_types.contains(&of)) {
            return;
        }
        self.visit_generics(&item.generics);
        let is_trait = match &item.trait_ {
            Some((path, _)) => {
                self.visit_path(path);
                true
            }
            None => false,
        };
        for item in &item.items {
            match item {
                ImplItem::Fn(item) if is_trait || is_public(&item.vis) => {
                    self.visit_signature(&item.sig);
                }
                ImplItem::Type(item) => self.visit_type(&item.ty),
                ImplItem::Const(item) if is_trait || is_public(&item.vis) => {
                    self.visit_type(&item.ty);
                }
                _ => {}
            }
        }
    }

    fn check_root(&mut self, root: &str) {
        let is_own = matches!(root, "crate" | "self" | "super" | "Self")
            || self.modules.contains(root)
            || root.starts_with(char::is_uppercase);
        let of = root.trim_start_matches("::");
        if !is_own && !ALLOWED.contains(&of) && self.adapts != Some(of) {
            self.foreign.push(of.to_owned());
        }
    }
}

impl<'ast> Visit<'ast> for Signatures<'_> {
    fn visit_path(&mut self, path: &'ast syn::Path) {
        let first = path.segments[0].ident.to_string();
        match self.imports.get(&first).cloned() {
            Some(root) => self.check_root(&root),
            // A single name is one of this crate or of the prelude.
            None if path.segments.len() == 1 => {}
            None if path.leading_colon.is_some() => self.check_root(&format!("::{first}")),
            None => self.check_root(&first),
        }
        visit::visit_path(self, path);
    }
}

/// Notes the name that each part of `use tree` has from then on. `::` stands
/// before what can only be a crate, not a module.
fn note_imports(
    tree: &UseTree,
    root: Option<&str>,
    is_external: bool,
    imports: &mut HashMap<String, String>,
) {
    let mut note = |name: String, own: String| {
        let root = root.map_or(own, str::to_owned);
        imports.insert(name, root);
    };
    let prefix = if is_external { "::" } else { "" };
    match tree {
        UseTree::Path(path) => {
            let own = format!("{prefix}{}", path.ident);
            note_imports(&path.tree, Some(root.unwrap_or(&own)), is_external, imports);
        }
        UseTree::Name(name) if name.ident == "self" => {
            // `use a::b::{self}` names `b`, which only matters by its root.
            let root = root.unwrap_or("self").to_owned();
            imports.insert(root.trim_start_matches("::").to_owned(), root);
        }
        UseTree::Name(name) => note(name.ident.to_string(), format!("{prefix}{}", name.ident)),
        UseTree::Rename(name) => note(name.rename.to_string(), format!("{prefix}{}", name.ident)),
        UseTree::Glob(_) => {
            let root = root.unwrap_or_default().to_owned();
            imports.insert(format!("{root}::*"), root);
        }
        UseTree::Group(group) => {
            for tree in &group.items {
                note_imports(tree, root, is_external, imports);
            }
        }
    }
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

fn is_for_tests(item: &syn::ItemMod) -> bool {
    item.attrs.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute
                .parse_args::<syn::Ident>()
                .is_ok_and(|condition| condition == "test")
    })
}

/// The public types and the modules of a file.
fn names(items: &[Item], types: &mut BTreeSet<String>, modules: &mut BTreeSet<String>) {
    for item in items {
        match item {
            Item::Struct(item) if is_public(&item.vis) => types.insert(item.ident.to_string()),
            Item::Enum(item) if is_public(&item.vis) => types.insert(item.ident.to_string()),
            Item::Mod(item) => modules.insert(item.ident.to_string()),
            _ => false,
        };
    }
}

/// The foreign crates that the public API of `files` names, by file.
fn foreign(files: &[(String, String)]) -> Vec<String> {
    let parsed: Vec<(&String, syn::File)> = files
        .iter()
        .map(|(name, text)| (name, syn::parse_file(text).expect("Rust")))
        .collect();
    let (mut public_types, mut modules) = (BTreeSet::new(), BTreeSet::new());
    for (_, file) in &parsed {
        names(&file.items, &mut public_types, &mut modules);
    }
    let mut found = Vec::new();
    for (name, file) in &parsed {
        let adapted = ADAPTERS.iter().find(|(adapter, _)| name == adapter);
        let mut signatures = Signatures {
            imports: HashMap::new(),
            modules: &modules,
            public_types: &public_types,
            adapts: adapted.map(|(_, of)| *of),
            foreign: Vec::new(),
        };
        signatures.items(&file.items);
        let foreign = signatures.foreign.into_iter();
        found.extend(foreign.map(|of| format!("{name}: {of}")));
    }
    found
}

fn sources(directory: &Path, below: &Path, files: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(directory).expect("a directory") {
        let path: PathBuf = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, below, files);
        } else {
            let name = path.strip_prefix(below).expect("a file below it");
            let text = fs::read_to_string(&path).expect("UTF-8");
            files.push((name.display().to_string(), text));
        }
    }
}

#[test]
fn the_public_api_names_no_type_of_what_is_behind_it() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&source, &source, &mut files);
    assert!(files.len() > 20, "{} files were read", files.len());
    assert_eq!(foreign(&files), [""; 0]);
}

#[test]
fn what_is_foreign_is_found() {
    let check = |text: &str, expected: &[&str]| {
        let files = [("a.rs".to_owned(), text.to_owned())];
        let expected: Vec<String> = expected.iter().map(|of| format!("a.rs: {of}")).collect();
        assert_eq!(foreign(&files), expected, "{text}");
    };
    check("pub fn f(a: hyper::Uri) {}", &["hyper"]);
    check("use hyper::Uri; pub fn f() -> Option<Uri> {}", &["hyper"]);
    check(
        "use hyper::{body::{Body as B}}; pub fn f(_: &dyn B) {}",
        &["hyper"],
    );
    check(
        "use tokio::time::Instant; pub struct S(pub Instant);",
        &["tokio"],
    );
    check(
        "pub struct S { pub a: Vec<tokio::time::Instant> }",
        &["tokio"],
    );
    check("pub enum E { A(rustls::Error) }", &["rustls"]);
    check("pub trait T: tower::Service<u8> {}", &["tower"]);
    check("pub trait T { fn f(&self) -> axum::Body; }", &["axum"]);
    check("pub struct S; impl From<h2::Error> for S {}", &["h2"]);
    check("pub struct S; impl hyper::Service for S {}", &["hyper"]);
    check(
        "pub struct S; impl S { pub fn f(_: impl tokio::io::AsyncRead) {} }",
        &["tokio"],
    );
    check("pub use reqwest::Client;", &["reqwest"]);
    check("mod hyper; pub use ::hyper::Uri;", &["hyper"]);
    check("pub mod m { pub fn f(_: hyper::Uri) {} }", &["hyper"]);
    check(
        "pub fn f<T: tokio::io::AsyncRead>() where T: hyper::Body {}",
        &["tokio", "hyper"],
    );
    check("pub type A = tokio::task::JoinHandle<()>;", &["tokio"]);

    check("use http::Uri; pub fn f(_: Uri, _: std::io::Error) {}", &[]);
    check(
        "use hyper::Uri; fn f(_: Uri) {} pub(crate) fn g(_: Uri) {}",
        &[],
    );
    check(
        "pub struct S { a: hyper::Uri, pub(crate) b: hyper::Uri }",
        &[],
    );
    check(
        "struct S; impl hyper::Service for S { fn f(_: hyper::Uri) {} }",
        &[],
    );
    check(
        "mod hyper; pub use self::hyper::Uri; pub fn f(_: hyper::Uri) {}",
        &[],
    );
    check("#[cfg(test)] mod t { pub fn f(_: hyper::Uri) {} }", &[]);
    check("pub fn f() { let _: hyper::Uri; }", &[]);
}
