//! The architecture: what imports what in `src/`, read off its lines.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The floors, lowest first: a file imports only from its own floor and those before it.
pub(crate) const FLOORS: [&str; 14] = [
    "error",
    "ground",
    "numeric",
    "nn",
    "optim",
    "data",
    "metrics",
    "train",
    "selection",
    "inspection",
    "uncertainty",
    "io",
    "plot",
    "progress",
];

/// A source file: its module path and its lines of code.
struct Source {
    module: Vec<String>,
    imports: Vec<Vec<String>>,
    /// Names that `pub use child::Name` makes visible here, and the child that has them.
    exports: BTreeMap<String, Vec<String>>,
}

/// `a::{b, c::d}` as paths.
fn paths(tree: &str) -> Vec<Vec<String>> {
    let tree = tree.trim();
    if let Some(inner) = tree.strip_prefix('{') {
        let inner = inner.strip_suffix('}').unwrap_or(inner);
        let mut parts = vec![String::new()];
        let mut depth = 0;
        for sign in inner.chars() {
            match sign {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            if sign == ',' && depth == 0 {
                parts.push(String::new());
            } else if let Some(last) = parts.last_mut() {
                last.push(sign);
            }
        }
        return parts
            .iter()
            .filter(|part| !part.trim().is_empty())
            .flat_map(|part| paths(part))
            .collect();
    }
    match tree.split_once("::") {
        Some((head, rest)) => paths(rest)
            .into_iter()
            .map(|path| [vec![head.trim().to_string()], path].concat())
            .collect(),
        None => vec![vec![
            tree.split(" as ").next().unwrap_or(tree).trim().to_string(),
        ]],
    }
}

fn read(file: &Path, root: &Path, sources: &mut Vec<Source>) {
    if file.is_dir() {
        let mut entries: Vec<_> = fs::read_dir(file)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        entries.sort();
        entries.iter().for_each(|entry| read(entry, root, sources));
        return;
    }
    if file.extension().is_none_or(|extension| extension != "rs") {
        return;
    }
    let relative = file.strip_prefix(root).unwrap().with_extension("");
    let mut module: Vec<String> = relative
        .iter()
        .map(|part| part.to_str().unwrap().to_string())
        .collect();
    if module.last().is_some_and(|name| name == "mod") {
        module.pop();
    }
    let text = fs::read_to_string(file).unwrap();
    // Tests at the end of a file may use whatever they like.
    let code = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap();
    let code: Vec<&str> = code
        .lines()
        .map(|line| line.split("//").next().unwrap_or(line))
        .collect();
    let code = code.join("\n");
    let mut imports = Vec::new();
    let mut exports = BTreeMap::new();
    for statement in code.split(';') {
        let lines: Vec<&str> = statement.lines().collect();
        let Some(first) = lines.iter().position(|line| {
            let line = line.trim_start();
            line.starts_with("use ")
                || line.starts_with("pub use ")
                || line.starts_with("pub(") && line.contains(") use ")
        }) else {
            continue;
        };
        let (public, tree) = {
            let text = lines[first..].join(" ");
            let at = text.find("use ").unwrap();
            (
                text.trim_start().starts_with("pub"),
                text[at + 4..].to_string(),
            )
        };
        for path in paths(&tree) {
            if public && !["crate", "super", "self"].contains(&path[0].as_str()) {
                exports.insert(
                    path[path.len() - 1].clone(),
                    [&module[..], &path[..path.len() - 1]].concat(),
                );
            } else {
                imports.push(path);
            }
        }
    }
    // Paths in the code itself.
    for (at, _) in code.match_indices("crate::") {
        let rest: String = code[at..]
            .chars()
            .take_while(|sign| sign.is_alphanumeric() || *sign == '_' || *sign == ':')
            .collect();
        if !code[at..].starts_with(&format!("{rest}{{")) {
            imports.push(rest.split("::").map(str::to_string).collect());
        }
    }
    sources.push(Source {
        module,
        imports,
        exports,
    });
}

/// The module that an imported path leads to: through re-exports, to the file that has the item.
fn target(
    path: &[String],
    from: &[String],
    modules: &BTreeMap<Vec<String>, &Source>,
) -> Option<Vec<String>> {
    let mut absolute: Vec<String> = match path[0].as_str() {
        "crate" => Vec::new(),
        "super" => from[..from.len().saturating_sub(1)].to_vec(),
        "self" => from.to_vec(),
        child if modules.contains_key(&[from, &[child.to_string()]].concat()) => {
            [from, &[child.to_string()]].concat()
        }
        _ => return None,
    };
    for name in &path[1..] {
        if name == "super" {
            absolute.pop();
            continue;
        }
        let child = [&absolute[..], core::slice::from_ref(name)].concat();
        if modules.contains_key(&child) {
            absolute = child;
        } else if let Some(to) = modules
            .get(&absolute)
            .and_then(|source| source.exports.get(name))
        {
            let mut to = to.clone();
            while let Some(further) = modules.get(&to).and_then(|source| source.exports.get(name)) {
                if *further == to {
                    break;
                }
                to = further.clone();
            }
            return Some(to);
        } else {
            break;
        }
    }
    Some(absolute)
}

pub(crate) fn edges() -> BTreeMap<Vec<String>, BTreeSet<Vec<String>>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    read(&root, &root, &mut sources);
    sources.retain(|source| !["levels", "lists", "guide"].contains(&source.module[0].as_str()));
    for source in &mut sources {
        if source.module[0] == "lib" {
            // Names at the root of the crate lead to where they are exported from.
            source.module.clear();
            for path in source.exports.values_mut() {
                path.remove(0);
            }
        }
    }
    let modules: BTreeMap<_, _> = sources
        .iter()
        .map(|source| (source.module.clone(), source))
        .collect();
    let mut edges = BTreeMap::new();
    for source in &sources {
        let to: BTreeSet<_> = source
            .imports
            .iter()
            .filter_map(|path| target(path, &source.module, &modules))
            .filter(|to| *to != source.module)
            .collect();
        if !source.module.is_empty() {
            edges.insert(source.module.clone(), to);
        }
    }
    assert!(edges.len() > 100, "{} files were read", edges.len());
    edges
}

/// No import climbs to a floor above its own.
#[test]
fn no_import_climbs() {
    let floor = |module: &[String]| {
        FLOORS
            .iter()
            .position(|floor| *floor == module[0])
            .unwrap_or_else(|| panic!("no floor: {module:?}"))
    };
    let mut climbing = Vec::new();
    for (from, to) in edges() {
        for to in to {
            if to.is_empty() || floor(&to) > floor(&from) {
                climbing.push(format!("{} imports {}", from.join("::"), to.join("::")));
            }
        }
    }
    assert!(
        climbing.is_empty(),
        "imports that climb:\n{}",
        climbing.join("\n")
    );
}

/// No file imports from one that imports from it, directly or through others.
#[test]
fn no_circles() {
    fn visit<'a>(
        at: &'a Vec<String>,
        edges: &'a BTreeMap<Vec<String>, BTreeSet<Vec<String>>>,
        path: &mut Vec<&'a Vec<String>>,
        done: &mut BTreeSet<&'a Vec<String>>,
        circles: &mut Vec<String>,
    ) {
        if let Some(start) = path.iter().position(|seen| *seen == at) {
            let circle: Vec<_> = path[start..]
                .iter()
                .map(|module| module.join("::"))
                .collect();
            circles.push(circle.join(" → "));
            return;
        }
        if !done.insert(at) {
            return;
        }
        path.push(at);
        for to in edges.get(at).into_iter().flatten() {
            visit(to, edges, path, done, circles);
        }
        path.pop();
    }
    let edges = edges();
    let mut circles = Vec::new();
    let mut done = BTreeSet::new();
    for at in edges.keys() {
        visit(at, &edges, &mut Vec::new(), &mut done, &mut circles);
    }
    assert!(circles.is_empty(), "circles:\n{}", circles.join("\n"));
}
