//! The import graph of the files of `src`.
//!
//! A file imports another one if a path in its code names an item that the other file defines, directly
//! or through re-exports. Paths are those of `use` statements, those that start with `crate` or `super`,
//! and those that start with a module that the file declares. Declaring a module or re-exporting its
//! items is not an import, nor is a method call. Comments and tests at the end of a file do not count.

use std::collections::{BTreeMap, BTreeSet};

use super::architecture::{Source, sources};

const ITEMS: [&str; 8] = [
    "fn", "struct", "enum", "trait", "type", "const", "static", "union",
];

/// A file of `src`.
struct File {
    path: String,
    /// The words and symbols of its code.
    tokens: Vec<String>,
    /// The names that its `use` statements define, with their paths.
    uses: Vec<(String, Vec<String>)>,
    /// The positions of the tokens of re-exports.
    reexports: BTreeSet<usize>,
    defined: BTreeSet<String>,
    children: BTreeSet<String>,
}

impl File {
    fn parse(source: &Source) -> Self {
        let tokens = tokens(source);
        let (mut uses, mut reexports) = (Vec::new(), BTreeSet::new());
        let (mut defined, mut children) = (BTreeSet::new(), BTreeSet::new());
        for (at, token) in tokens.iter().enumerate() {
            let next = tokens.get(at + 1).cloned().unwrap_or_default();
            if token == "use" {
                let rest = tokens[at + 1..].iter().position(|token| token == ";");
                let end = at + 1 + rest.unwrap_or_default();
                let is_public = at > 0 && matches!(tokens[at - 1].as_str(), "pub" | ")");
                if is_public {
                    reexports.extend(at..end);
                }
                flatten(&tokens[at + 1..end], &[], &mut uses);
            } else if token == "mod" && tokens.get(at + 2).is_some_and(|token| token == ";") {
                children.insert(next);
            } else if ITEMS.contains(&token.as_str()) {
                let named = [next.as_str(), tokens.get(at + 2).map_or("", String::as_str)];
                let named = named
                    .into_iter()
                    .find(|word| !matches!(*word, "mut" | "fn" | "unsafe"));
                defined.extend(named.map(str::to_owned));
            }
        }
        Self {
            path: source.path.clone(),
            tokens,
            uses,
            reexports,
            defined,
            children,
        }
    }

    /// The path of its module from the root of the crate.
    fn module(&self) -> Vec<String> {
        let path = self.path.trim_start_matches("src/").trim_end_matches(".rs");
        let root = matches!(path, "lib" | "main");
        let names = path.split('/').filter(|_| !root);
        names.map(str::to_owned).collect()
    }

    /// The paths in its code, without those of re-exports.
    fn paths(&self) -> Vec<Vec<String>> {
        let mut paths = Vec::new();
        let mut at = 0;
        while at < self.tokens.len() {
            let token = &self.tokens[at];
            if token == "use" {
                let rest = self.tokens[at..].iter().position(|token| token == ";");
                let end = at + rest.unwrap_or(1);
                if !self.reexports.contains(&at) {
                    let mut uses = Vec::new();
                    flatten(&self.tokens[at + 1..end], &[], &mut uses);
                    paths.extend(uses.into_iter().map(|(_, path)| path));
                }
                at = end;
                continue;
            }
            let follows = |at: usize| self.tokens.get(at).is_some_and(|token| token == "::");
            // `pub(in path)` is a visibility.
            let is_start = at == 0 || !(follows(at - 1) || self.tokens[at - 1] == "in");
            let is_root = matches!(token.as_str(), "crate" | "super" | "self");
            if is_start && follows(at + 1) && (is_root || self.children.contains(token)) {
                let mut path = vec![token.clone()];
                while follows(at + 1) && at + 2 < self.tokens.len() {
                    at += 2;
                    path.push(self.tokens[at].clone());
                }
                paths.push(path);
            }
            at += 1;
        }
        paths
    }
}

/// Splits the code into words, `::` and other symbols; text in quotes is one token.
fn tokens(source: &Source) -> Vec<String> {
    let mut tokens = Vec::new();
    for (_, line) in source.code_lines() {
        let mut rest = line;
        while let Some(first) = rest.chars().next() {
            let is_word = |c: char| c.is_alphanumeric() || c == '_';
            let length = if is_word(first) {
                rest.find(|c| !is_word(c)).unwrap_or(rest.len())
            } else if rest.starts_with("//") {
                break;
            } else if rest.starts_with("::") {
                2
            } else if first == '"' {
                rest[1..].find('"').map_or(rest.len(), |end| end + 2)
            } else {
                first.len_utf8()
            };
            if !first.is_whitespace() {
                tokens.push(rest[..length].to_owned());
            }
            rest = &rest[length..];
        }
    }
    tokens
}

/// Adds the names of a `use` tree with their paths.
fn flatten(tree: &[String], prefix: &[String], uses: &mut Vec<(String, Vec<String>)>) {
    let mut path = prefix.to_vec();
    let mut at = 0;
    while at < tree.len() {
        match tree[at].as_str() {
            "::" => {}
            "{" => {
                let (mut depth, mut start) = (0, at + 1);
                for (end, token) in tree.iter().enumerate().skip(at) {
                    match token.as_str() {
                        "{" => depth += 1,
                        "}" => depth -= 1,
                        _ => {}
                    }
                    if (token == "," && depth == 1) || depth == 0 {
                        flatten(&tree[start..end], &path, uses);
                        start = end + 1;
                    }
                    if depth == 0 {
                        return;
                    }
                }
                return;
            }
            "as" => {
                uses.push((tree[at + 1].clone(), path));
                return;
            }
            word => path.push(word.to_owned()),
        }
        at += 1;
    }
    if tree.is_empty() {
        return;
    }
    if path.len() > 1
        && path
            .last()
            .is_some_and(|last| last == "self" || last == "*")
    {
        path.pop();
    }
    uses.extend(path.last().cloned().map(|name| (name, path)));
}

/// All files by module path.
struct Graph(BTreeMap<Vec<String>, File>);

impl Graph {
    fn new() -> Self {
        let all = sources(&["src"], ".rs");
        let files = all.iter().filter(|source| !source.path.contains("/tests"));
        let files = files.map(File::parse).map(|file| (file.module(), file));
        Self(files.collect())
    }

    /// The path of the file that defines the item at `path`, as seen from `module`.
    fn resolve(&self, module: &[String], path: &[String], depth: usize) -> Option<&str> {
        let (first, mut rest) = path.split_first()?;
        let mut at: Vec<String> = match first.as_str() {
            "crate" => Vec::new(),
            "self" => module.to_vec(),
            "super" => module[..module.len().checked_sub(1)?].to_vec(),
            child => {
                let file = self.0.get(module)?;
                if !file.children.contains(child) {
                    return None;
                }
                [module, &[child.to_owned()]].concat()
            }
        };
        while let Some((name, after)) = rest.split_first() {
            if name == "super" {
                at.pop();
                rest = after;
                continue;
            }
            let child = [at.as_slice(), std::slice::from_ref(name)].concat();
            if self.0.contains_key(&child) {
                (at, rest) = (child, after);
                continue;
            }
            let file = self.0.get(&at)?;
            if file.defined.contains(name) || depth == 0 {
                return Some(&file.path);
            }
            let reexport = file.uses.iter().find(|(used, _)| used == name);
            let Some((_, path)) = reexport else {
                return Some(&file.path);
            };
            let path = [path.as_slice(), after].concat();
            return self.resolve(&at, &path, depth - 1);
        }
        self.0.get(&at).map(|file| file.path.as_str())
    }

    /// The files that each file imports.
    fn imports(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let mut imports: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (module, file) in &self.0 {
            let paths = file.paths();
            let used = paths
                .iter()
                .filter_map(|path| self.resolve(module, path, 8));
            let used = used.filter(|used| *used != file.path);
            imports.insert(&file.path, used.collect());
        }
        imports
    }
}

#[test]
fn no_two_files_import_each_other() {
    let graph = Graph::new();
    let imports = graph.imports();
    assert!(imports.values().map(BTreeSet::len).sum::<usize>() > 1_000);
    let mut circles = Vec::new();
    for (file, used) in &imports {
        for other in used.iter().filter(|other| *other > file) {
            if imports[other].contains(file) {
                circles.push(format!("{file} and {other}"));
            }
        }
    }
    assert!(circles.is_empty(), "{circles:#?}");
}
