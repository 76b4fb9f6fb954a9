//! A profile: a kind of access network as a JSON file, both directions, its NAT, and exceptions for single clients.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::{Config, Nat, TraceRef};
use crate::path::PathPlan;
use crate::plan::{Invalid, NatPlan, Plan};
use crate::trace::Trace;

/// The most bytes of a profile's text.
pub const MAX_PROFILE: usize = 1 << 20;
/// The most exceptions in one profile.
const MAX_CLIENTS: usize = 1000;
/// Bytes of an error's message before it is cut off.
const MAX_MESSAGE: usize = 500;

/// A checked profile.
#[derive(Debug, Clone)]
pub struct Profile {
    text: Text,
    plan: PathPlan,
    /// By pattern, the longest first.
    clients: Vec<(String, PathPlan)>,
}

/// Why a profile was refused. Shown as one line, such as
/// `lte-train.json: up.loss.independent is 140, must be 0..=100 percent`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileError {
    /// The file, as the caller named it.
    pub file: String,
    /// The field and what is wrong, or what is wrong with the text.
    pub problem: String,
}

impl fmt::Display for ProfileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file, self.problem)
    }
}

impl std::error::Error for ProfileError {}

/// The file's form.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    name: String,
    description: String,
    sources: Vec<String>,
    up: Config,
    down: Config,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nat: Option<Nat>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    clients: BTreeMap<String, Value>,
}

/// Gives a trace's text by its name; None if there is none.
type Loader<'a> = dyn FnMut(&str) -> Option<String> + 'a;

impl Profile {
    /// Parses and checks the text of `file`; the name is for errors only. `load` gives the traces that it names.
    pub fn parse(file: &str, text: &str, load: &mut Loader<'_>) -> Result<Profile, ProfileError> {
        parse(text, load).map_err(|problem| ProfileError { file: file.to_owned(), problem: one_line(&problem) })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.text.name
    }

    /// What it stands for, in a sentence.
    pub fn description(&self) -> &str {
        &self.text.description
    }

    /// Where its figures are from, and which of them are only typical.
    pub fn sources(&self) -> &[String] {
        &self.text.sources
    }

    /// The config from the client.
    pub fn up(&self) -> &Config {
        &self.text.up
    }

    /// The config to the client.
    pub fn down(&self) -> &Config {
        &self.text.down
    }

    /// What the path of the client called `name` does: its own exception's, else that of the longest pattern
    /// `PREFIX*` that fits, else everybody's.
    pub fn plan(&self, name: &str) -> &PathPlan {
        let fits = |pattern: &str| match pattern.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => name == pattern,
        };
        let exact = self.clients.iter().find(|(pattern, _)| pattern == name);
        let found = exact.or_else(|| self.clients.iter().find(|(pattern, _)| fits(pattern)));
        found.map_or(&self.plan, |(_, plan)| plan)
    }
}

fn parse(text: &str, load: &mut Loader<'_>) -> Result<Profile, String> {
    if text.len() > MAX_PROFILE {
        return Err(format!("has {} bytes, must have at most {MAX_PROFILE}", text.len()));
    }
    let mut parsed: Text = read(&mut serde_json::Deserializer::from_str(text), "")?;
    let mut traces = Traces { load, loaded: BTreeMap::new() };
    let plan = traces.plan(&mut parsed).map_err(|error| error.to_string())?;
    if parsed.sources.is_empty() {
        return Err("sources is empty, must say where the figures are from".to_owned());
    }
    if parsed.clients.len() > MAX_CLIENTS {
        return Err(format!("clients has {} entries, must have at most {MAX_CLIENTS}", parsed.clients.len()));
    }
    let mut clients = Vec::with_capacity(parsed.clients.len());
    let mut base = serde_json::to_value(&parsed).map_err(|error| error.to_string())?;
    base["clients"] = Value::Object(serde_json::Map::new());
    for (pattern, patch) in &parsed.clients {
        let field = format!("clients.{pattern}");
        let known = |key: &String| matches!(key.as_str(), "up" | "down" | "nat");
        match patch.as_object() {
            Some(fields) if fields.keys().all(known) => {}
            _ => return Err(format!("{field} must be an object of up, down and nat")),
        }
        let mut own = base.clone();
        merge(&mut own, patch);
        let mut own: Text = read(own, &format!("{field}."))?;
        let plan = traces.plan(&mut own).map_err(|error| error.within(&field).to_string())?;
        clients.push((pattern.clone(), plan));
    }
    clients.sort_by_key(|(pattern, _)| std::cmp::Reverse(pattern.len()));
    Ok(Profile { text: parsed, plan, clients })
}

/// The message as one line of bounded length: what the file says may be in it.
fn one_line(problem: &str) -> String {
    let mut line = String::new();
    for letter in problem.chars() {
        if line.len() > MAX_MESSAGE {
            return line + "...";
        }
        match letter.is_control() {
            true => line.extend(letter.escape_debug()),
            false => line.push(letter),
        }
    }
    line
}

/// Reads a value, and says where it could not.
fn read<'de, T: DeserializeOwned, D>(from: D, outer: &str) -> Result<T, String>
where
    D: serde::Deserializer<'de>,
    D::Error: fmt::Display,
{
    serde_path_to_error::deserialize(from).map_err(|error| match error.path().to_string() {
        path if path == "." && outer.is_empty() => error.inner().to_string(),
        path => format!("{outer}{path}: {}", error.inner()),
    })
}

/// Lays `patch` over `base`, by the rules of RFC 7396: objects merge, null removes, all else replaces.
fn merge(base: &mut Value, patch: &Value) {
    let Value::Object(fields) = patch else {
        *base = patch.clone();
        return;
    };
    if !base.is_object() {
        *base = Value::Object(serde_json::Map::new());
    }
    let Value::Object(own) = base else { return };
    for (key, value) in fields {
        match value {
            Value::Null => drop(own.remove(key)),
            value => merge(own.entry(key.clone()).or_insert(Value::Null), value),
        }
    }
}

/// The traces of one profile, each loaded once.
struct Traces<'a, 'b> {
    load: &'a mut Loader<'b>,
    loaded: BTreeMap<String, Arc<Trace>>,
}

impl Traces<'_, '_> {
    fn plan(&mut self, text: &mut Text) -> Result<PathPlan, Invalid> {
        Ok(PathPlan {
            up: self.direction("up", &mut text.up)?,
            down: self.direction("down", &mut text.down)?,
            nat: match &text.nat {
                Some(nat) => Some(Arc::new(NatPlan::new(nat).map_err(|error| error.within("nat"))?)),
                None => None,
            },
        })
    }

    fn direction(&mut self, field: &str, config: &mut Config) -> Result<Arc<Plan>, Invalid> {
        if let Some(trace) = &mut config.trace {
            self.resolve(trace).map_err(|error| error.within(field))?;
        }
        Plan::new(config).map(Arc::new).map_err(|error| error.within(field))
    }

    fn resolve(&mut self, trace: &mut TraceRef) -> Result<(), Invalid> {
        let name = &trace.name;
        let data = match self.loaded.get(name) {
            Some(data) => data.clone(),
            None => {
                let text = (self.load)(name)
                    .ok_or_else(|| Invalid::new("trace", format!("names `{name}`, which is not there")))?;
                let parsed = Trace::parse(name, &text)
                    .map_err(|error| Invalid::new("trace", format!("names `{name}`, whose {error}")))?;
                let data = Arc::new(parsed);
                self.loaded.insert(name.clone(), data.clone());
                data
            }
        };
        trace.data = Some(data);
        Ok(())
    }
}
