//! Lists the public API of a crate, one item per line, from the JSON output of rustdoc:
//! `public_api target/doc/chat_history.json`. `just public-api` runs it.
//!
//! Names are those of the crate itself; types of other crates are shown by their last name only.
//! Implementations that the compiler adds to each type are left out.
#![allow(clippy::print_stdout)]

use std::collections::BTreeSet;
use std::error::Error;

use serde_json::Value;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: public_api FILE.json")?;
    let json: Value = serde_json::from_str(&std::fs::read_to_string(path)?)?;
    let mut listing = Listing { index: &json["index"], lines: BTreeSet::new(), seen: BTreeSet::new() };
    let root = listing.item(&json["root"]).ok_or("the file has no root module")?;
    listing.module(root, text(&root["name"]));
    for (_, line) in &listing.lines {
        println!("{line}");
    }
    Ok(())
}

struct Listing<'a> {
    index: &'a Value,
    /// The lines, each after the path by which they are sorted.
    lines: BTreeSet<(String, String)>,
    /// The items whose members are listed, under each of their paths.
    seen: BTreeSet<(String, String)>,
}

impl<'a> Listing<'a> {
    fn item(&self, id: &Value) -> Option<&'a Value> {
        let key = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
        self.index.get(&key)
    }

    fn items(&self, ids: &Value) -> Vec<&'a Value> {
        array(ids).iter().filter_map(|id| self.item(id)).collect()
    }

    fn add(&mut self, path: &str, line: String) {
        self.lines.insert((path.to_owned(), line));
    }

    fn module(&mut self, item: &'a Value, path: &str) {
        for item in self.items(&item["inner"]["module"]["items"]) {
            self.member(item, path);
        }
    }

    /// An item of a module.
    fn member(&mut self, item: &'a Value, parent: &str) {
        let (kind, inner) = inner(item);
        if kind == "use" {
            return self.reexport(item, inner, parent);
        }
        if item["visibility"] != "public" && kind != "macro" || is_hidden(item) {
            return;
        }
        self.named(item, &format!("{parent}::{}", text(&item["name"])));
    }

    fn reexport(&mut self, item: &'a Value, inner: &'a Value, parent: &str) {
        if item["visibility"] != "public" {
            return;
        }
        match self.item(&inner["id"]) {
            Some(target) if inner["is_glob"] == true => self.module(target, parent),
            Some(target) => self.named(target, &format!("{parent}::{}", text(&inner["name"]))),
            None => {
                let path = format!("{parent}::{}", text(&inner["name"]));
                self.add(&path, format!("use {path} = {}", text(&inner["source"])));
            }
        }
    }

    /// An item under a path, with its members.
    fn named(&mut self, item: &'a Value, path: &str) {
        if !self.seen.insert((path.to_owned(), item["id"].to_string())) {
            return;
        }
        let (kind, inner) = inner(item);
        let open = if attributes(item).contains("non_exhaustive") { "#[non_exhaustive] " } else { "" };
        let generics = generics(&inner["generics"]);
        let bounds = where_clause(&inner["generics"]);
        match kind {
            "module" => {
                self.add(path, format!("mod {path}"));
                self.module(item, path);
            }
            "struct" => {
                self.structure(inner, open, path, &(generics + &bounds));
                self.impls(item, path);
            }
            "enum" => {
                self.add(path, format!("{open}enum {path}{generics}{bounds}"));
                for variant in self.items(&inner["variants"]) {
                    self.variant(variant, path);
                }
                self.impls(item, path);
            }
            "trait" => {
                let supertraits = prefixed(": ", &bound_list(&inner["bounds"]));
                self.add(path, format!("trait {path}{generics}{supertraits}{bounds}"));
                for item in self.items(&inner["items"]) {
                    self.associated(item, path, "trait ");
                }
            }
            "function" => self.add(path, function(item, path, "")),
            "type_alias" => self.add(path, format!("type {path}{generics} = {}", type_of(&inner["type"]))),
            "constant" => self.add(path, format!("const {path}: {}", type_of(&inner["type"]))),
            "static" => self.add(path, format!("static {path}: {}", type_of(&inner["type"]))),
            "macro" => self.add(path, format!("macro {path}!")),
            other => self.add(path, format!("{other} {path}")),
        }
    }

    fn structure(&mut self, inner: &'a Value, open: &str, path: &str, generics: &str) {
        let kind = &inner["kind"];
        if let Some(fields) = kind["tuple"].as_array() {
            let field = |id: &Value| {
                self.item(id).map_or_else(|| "_".to_owned(), |field| type_of(&field["inner"]["struct_field"]))
            };
            let fields: Vec<_> = fields.iter().map(field).collect();
            return self.add(path, format!("{open}struct {path}{generics}({})", fields.join(", ")));
        }
        let private = if kind["plain"]["has_stripped_fields"] == true { " { .. }" } else { "" };
        self.add(path, format!("{open}struct {path}{generics}{private}"));
        for field in self.items(&kind["plain"]["fields"]) {
            let kind = type_of(&field["inner"]["struct_field"]);
            let path = format!("{path}::{}", text(&field["name"]));
            self.add(&path, format!("field {path}: {kind}"));
        }
    }

    fn variant(&mut self, item: &'a Value, parent: &str) {
        let kind = &item["inner"]["variant"]["kind"];
        let open = if attributes(item).contains("non_exhaustive") { "#[non_exhaustive] " } else { "" };
        let field = |id: &Value| {
            self.item(id).map(|field| (text(&field["name"]), type_of(&field["inner"]["struct_field"])))
        };
        let fields = if let Some(fields) = kind["tuple"].as_array() {
            let fields: Vec<_> = fields.iter().filter_map(field).map(|(_, kind)| kind).collect();
            format!("({})", fields.join(", "))
        } else if let Some(fields) = kind["struct"]["fields"].as_array() {
            let fields: Vec<_> =
                fields.iter().filter_map(field).map(|(name, kind)| format!("{name}: {kind}")).collect();
            format!(" {{ {} }}", fields.join(", "))
        } else {
            String::new()
        };
        let path = format!("{parent}::{}", text(&item["name"]));
        self.add(&path, format!("{open}variant {path}{fields}"));
    }

    /// The implementations of a type that are written in its crate or derived.
    fn impls(&mut self, item: &'a Value, path: &str) {
        let (_, inner) = inner(item);
        for implementation in self.items(&inner["impls"]) {
            let inner = &implementation["inner"]["impl"];
            // the list also has those of other types that only mention this one
            if inner["for"]["resolved_path"]["id"] != item["id"] {
                continue;
            }
            if inner["is_synthetic"] == true || !inner["blanket_impl"].is_null() {
                continue;
            }
            if inner["trait"].is_null() {
                for id in array(&inner["items"]) {
                    if let Some(item) = self.item(id).filter(|item| item["visibility"] == "public") {
                        self.associated(item, path, "");
                    }
                }
            } else if !text(&inner["trait"]["path"]).ends_with("StructuralPartialEq") {
                let generics = generics(&inner["generics"]);
                let bounds = where_clause(&inner["generics"]);
                // after the type, before its members
                let line = format!("impl{generics} {} for {path}{bounds}", path_of(&inner["trait"]));
                self.add(&format!("{path} "), line);
            }
        }
    }

    /// An item of a trait or of an implementation.
    fn associated(&mut self, item: &'a Value, parent: &str, prefix: &str) {
        if is_hidden(item) {
            return;
        }
        let path = format!("{parent}::{}", text(&item["name"]));
        let (kind, inner) = inner(item);
        match kind {
            "function" => {
                let default = if !prefix.is_empty() && inner["has_body"] == true { "provided " } else { "" };
                self.add(&path, default.to_owned() + &function(item, &path, prefix));
            }
            "assoc_const" => self.add(&path, format!("{prefix}const {path}: {}", type_of(&inner["type"]))),
            "assoc_type" => {
                let bounds = prefixed(": ", &bound_list(&inner["bounds"]));
                self.add(&path, format!("{prefix}type {path}{bounds}"));
            }
            other => self.add(&path, format!("{other} {path}")),
        }
    }
}

/// The kind of an item, and what belongs to it.
fn inner(item: &Value) -> (&str, &Value) {
    let entry = item["inner"].as_object().and_then(|inner| inner.iter().next());
    entry.map_or(("", &Value::Null), |(kind, inner)| (kind.as_str(), inner))
}

fn attributes(item: &Value) -> String {
    item["attrs"].to_string()
}

fn is_hidden(item: &Value) -> bool {
    let attributes = attributes(item);
    attributes.contains("doc(hidden)") || attributes.contains("doc_hidden")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn prefixed(prefix: &str, text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("{prefix}{text}") }
}

fn list(values: &Value, show: impl Fn(&Value) -> String, separator: &str) -> String {
    array(values).iter().map(show).collect::<Vec<_>>().join(separator)
}

fn function(item: &Value, path: &str, prefix: &str) -> String {
    let inner = &item["inner"]["function"];
    let header = &inner["header"];
    let mut words = String::new();
    for (key, word) in [("is_const", "const "), ("is_async", "async "), ("is_unsafe", "unsafe ")] {
        if header[key] == true {
            words += word;
        }
    }
    let signature = signature(&inner["sig"], true);
    let generics_of = &inner["generics"];
    format!("{prefix}{words}fn {path}{}{signature}{}", generics(generics_of), where_clause(generics_of))
}

fn signature(signature: &Value, with_names: bool) -> String {
    let input = |input: &Value| {
        let (name, kind) = (text(&input[0]), type_of(&input[1]));
        match kind.as_str() {
            "Self" if name == "self" => "self".to_owned(),
            "&Self" if name == "self" => "&self".to_owned(),
            "&mut Self" if name == "self" => "&mut self".to_owned(),
            kind if with_names => format!("{name}: {kind}"),
            kind => kind.to_owned(),
        }
    };
    let output = if signature["output"].is_null() { String::new() } else { type_of(&signature["output"]) };
    format!("({}){}", list(&signature["inputs"], input, ", "), prefixed(" -> ", &output))
}

fn type_of(value: &Value) -> String {
    let Some((kind, inner)) = value.as_object().and_then(|object| object.iter().next()) else {
        return "_".to_owned();
    };
    match kind.as_str() {
        "resolved_path" => path_of(inner),
        "generic" | "primitive" => text(inner).to_owned(),
        "dyn_trait" => {
            let bound = |bound: &Value| higher_ranked(&bound["generic_params"]) + &path_of(&bound["trait"]);
            let lifetime = prefixed(" + ", text(&inner["lifetime"]));
            format!("dyn {}{lifetime}", list(&inner["traits"], bound, " + "))
        }
        "impl_trait" => format!("impl {}", bound_list(inner)),
        "tuple" => format!("({})", list(inner, type_of, ", ")),
        "slice" => format!("[{}]", type_of(inner)),
        "array" => format!("[{}; {}]", type_of(&inner["type"]), text(&inner["len"])),
        "borrowed_ref" => {
            let lifetime = inner["lifetime"].as_str().map_or(String::new(), |name| format!("{name} "));
            let mutable = if inner["is_mutable"] == true { "mut " } else { "" };
            format!("&{lifetime}{mutable}{}", type_of(&inner["type"]))
        }
        "raw_pointer" => {
            let kind = if inner["is_mutable"] == true { "mut" } else { "const" };
            format!("*{kind} {}", type_of(&inner["type"]))
        }
        "qualified_path" => {
            let of = type_of(&inner["self_type"]);
            let of = match path_of(&inner["trait"]) {
                name if name.is_empty() || of == "Self" => of,
                name => format!("<{of} as {name}>"),
            };
            format!("{of}::{}{}", text(&inner["name"]), arguments(&inner["args"]))
        }
        "function_pointer" => format!("fn{}", signature(&inner["sig"], false)),
        other => other.to_owned(),
    }
}

/// A path by its last name.
fn path_of(path: &Value) -> String {
    let name = path["path"].as_str().or_else(|| path["name"].as_str()).unwrap_or_default();
    let name = name.rsplit("::").next().unwrap_or_default();
    format!("{name}{}", arguments(&path["args"]))
}

fn arguments(arguments: &Value) -> String {
    if let Some(sugar) = arguments.get("parenthesized") {
        let output = if sugar["output"].is_null() { String::new() } else { type_of(&sugar["output"]) };
        return format!("({}){}", list(&sugar["inputs"], type_of, ", "), prefixed(" -> ", &output));
    }
    let angles = &arguments["angle_bracketed"];
    let argument = |argument: &Value| match inner_of(argument) {
        ("lifetime", name) => text(name).to_owned(),
        ("const", value) => text(&value["expr"]).to_owned(),
        (_, kind) => type_of(kind),
    };
    let constraint = |constraint: &Value| {
        let name = text(&constraint["name"]);
        match inner_of(&constraint["binding"]) {
            ("equality", term) => format!("{name} = {}", type_of(&term["type"])),
            (_, bounds) => format!("{name}: {}", bound_list(bounds)),
        }
    };
    let all = [list(&angles["args"], argument, ", "), list(&angles["constraints"], constraint, ", ")];
    let all: Vec<_> = all.into_iter().filter(|text| !text.is_empty()).collect();
    if all.is_empty() { String::new() } else { format!("<{}>", all.join(", ")) }
}

fn inner_of(value: &Value) -> (&str, &Value) {
    let entry = value.as_object().and_then(|object| object.iter().next());
    entry.map_or(("", value), |(kind, inner)| (kind.as_str(), inner))
}

fn bound_list(bounds: &Value) -> String {
    let bound = |bound: &Value| match inner_of(bound) {
        ("trait_bound", bound) => {
            let maybe = if bound["modifier"] == "maybe" { "?" } else { "" };
            format!("{maybe}{}{}", higher_ranked(&bound["generic_params"]), path_of(&bound["trait"]))
        }
        ("use", names) => format!("use<{}>", list(names, |name| text(inner_of(name).1).to_owned(), ", ")),
        (_, lifetime) => text(lifetime).to_owned(),
    };
    list(bounds, bound, " + ")
}

fn higher_ranked(parameters: &Value) -> String {
    let names = list(parameters, |parameter| text(&parameter["name"]).to_owned(), ", ");
    if names.is_empty() { names } else { format!("for<{names}> ") }
}

/// Type and lifetime parameters, without those that stand for `impl Trait`.
fn generics(generics: &Value) -> String {
    let mut parameters = Vec::new();
    for parameter in array(&generics["params"]) {
        let (name, (kind, inner)) = (text(&parameter["name"]), inner_of(&parameter["kind"]));
        match kind {
            "type" if inner["is_synthetic"] == true => {}
            "type" => parameters.push(format!("{name}{}", prefixed(": ", &bound_list(&inner["bounds"])))),
            "const" => parameters.push(format!("const {name}: {}", type_of(&inner["type"]))),
            _ => parameters.push(name.to_owned()),
        }
    }
    if parameters.is_empty() { String::new() } else { format!("<{}>", parameters.join(", ")) }
}

fn where_clause(generics: &Value) -> String {
    let predicate = |predicate: &Value| match inner_of(predicate) {
        ("bound_predicate", bound) => {
            format!("{}: {}", type_of(&bound["type"]), bound_list(&bound["bounds"]))
        }
        ("lifetime_predicate", bound) => {
            let outlives = list(&bound["outlives"], |name| text(name).to_owned(), " + ");
            format!("{}: {outlives}", text(&bound["lifetime"]))
        }
        (_, equality) => format!("{} = {}", type_of(&equality["lhs"]), type_of(&equality["rhs"]["type"])),
    };
    prefixed(" where ", &list(&generics["where_predicates"], predicate, ", "))
}
