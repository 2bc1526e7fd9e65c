//! The check at upload: is it a component, of which world, and does it want and offer what `wit/`
//! says? Every objection names the import or export, so that the answer to an upload can.
//!
//! Names are compared before anything is compiled. What only types can tell is left to wasmtime, and
//! asked afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::OnceLock;

use wasmparser::{ComponentTypeRef, Encoding, Parser, Payload};
use wasmtime::Engine;
use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;
use wit_parser::{Resolve, WorldItem, WorldKey};

use crate::host::wasi;
use crate::sections;

const WIT: &str = include_str!("../../../wit/strowger.wit");

/// The longest name that is quoted in an objection.
const QUOTED: usize = 200;
/// A page of Wasm memory, in bytes.
const PAGE: u64 = 64 << 10;
/// Objections that are listed.
const LISTED: usize = 50;

/// What kind of script a component is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// It takes calls: world `call-script`.
    Call,
    /// It ranks a queue: world `queue-strategy`.
    Strategy,
    /// It hears of call backs: world `task-script`.
    Task,
}

impl Kind {
    /// The world's name in `wit/`.
    pub fn world(self) -> &'static str {
        match self {
            Self::Call => "call-script",
            Self::Strategy => "queue-strategy",
            Self::Task => "task-script",
        }
    }

    /// Of a component, by its names alone; none for what is no component.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        outline(bytes).ok().map(|outline| Worlds::get().kind(&outline.exports))
    }
}

/// Why a component was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// At least one.
    pub problems: Vec<Problem>,
}

/// One objection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where: `component`, `memory`, `settings`, or the import or export by its name without a version, as
    /// "import wasi:filesystem/types" or "export on-call".
    pub place: String,
    /// What is wrong and what to do.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, problem) in self.problems.iter().enumerate() {
            write!(f, "{}{problem}", if n == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl std::error::Error for Refused {}

impl Refused {
    pub(crate) fn one(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { problems: vec![Problem { place: place.into(), what: what.into() }] }
    }

    fn unless_none(mut problems: Vec<Problem>) -> Result<(), Self> {
        problems.truncate(LISTED);
        if problems.is_empty() { Ok(()) } else { Err(Self { problems }) }
    }
}

/// What a component's outermost names say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) kind: Kind,
    pub(crate) imports: Vec<String>,
    pub(crate) exports: Vec<String>,
    /// Its `on-ended` does nothing, it says ([`sections::NOTHING_AFTER`]).
    pub(crate) nothing_after: bool,
}

/// Looks at names and sizes alone; `largest` component and `memory` to begin with, in bytes.
pub(crate) fn names(bytes: &[u8], largest: usize, memory: usize) -> Result<Names, Refused> {
    if bytes.len() > largest {
        let what = format!("it is {} bytes long; at most {largest} are taken", bytes.len());
        return Err(Refused::one("component", what));
    }
    let Outline { imports, exports, pages, nothing_after } = outline(bytes)?;
    let worlds = Worlds::get();
    let kind = worlds.kind(&exports);
    let world = worlds.of(kind);
    let mut problems = Vec::new();
    let begins_with = pages.saturating_mul(PAGE);
    if begins_with > memory as u64 {
        let what = format!("it begins with {begins_with} bytes of memory; at most {memory} are given");
        problems.push(Problem { place: "memory".into(), what });
    }
    if let Some(what) = sections::misfit(bytes) {
        problems.push(Problem { place: "settings".into(), what });
    }
    for import in &imports {
        let name = unversioned(import);
        let taken = world.imports.contains_key(name)
            || wasi::answers(name)
            || wasi::is_socket(name) && wasi::is_python(bytes);
        if !taken {
            problems.push(unknown_import(import, kind));
        } else if let Some(version) = worlds.parts_from(import) {
            let what = format!(
                "it is built for version {version}, and this engine offers {}; build it with this engine's SDK",
                worlds.version
            );
            problems.push(Problem { place: format!("import {}", quoted(name)), what });
        }
    }
    for export in world.exports.iter().filter(|export| !exports.contains(export)) {
        let what = format!("is missing; world {} must export it", kind.world());
        problems.push(Problem { place: format!("export {export}"), what });
    }
    Refused::unless_none(problems)?;
    Ok(Names { kind, imports, exports, nothing_after })
}

/// Looks at the functions inside the imported interfaces.
pub(crate) fn functions(engine: &Engine, component: &Component, kind: Kind) -> Result<(), Refused> {
    let world = Worlds::get().of(kind);
    let mut problems = Vec::new();
    let ty = component.component_type();
    for (name, import) in ty.imports(engine) {
        let ComponentItem::ComponentInstance(instance) = import.ty else { continue };
        let interface = unversioned(name);
        let Some(known) = world.imports.get(interface) else { continue };
        for (function, item) in instance.exports(engine) {
            if matches!(item.ty, ComponentItem::ComponentFunc(_)) && !known.contains(function) {
                let place = format!("import {interface}.{}", quoted(function));
                let what =
                    format!("this engine's {interface} has no such function{}", built_for_another(name));
                problems.push(Problem { place, what });
            }
        }
    }
    Refused::unless_none(problems)
}

/// What wasmtime says of a component that does not fit, as an objection.
pub(crate) fn does_not_fit(error: &wasmtime::Error) -> Refused {
    let words = format!("{error:#}");
    let name = words.split('`').nth(1);
    let place = match name {
        Some(name) if words.contains(&format!("export func `{name}`")) => format!("export {name}"),
        Some(name) if name.contains(':') => format!("import {}", unversioned(name)),
        _ => "component".into(),
    };
    Refused::one(place, words)
}

fn unknown_import(import: &str, kind: Kind) -> Problem {
    let name = unversioned(import);
    let what = if name.starts_with("wasi:") {
        "of WASI a script has clocks, chance and standard output; all else it reaches through strowger:script"
            .to_owned()
    } else if Worlds::get().all().any(|world| world.imports.contains_key(name)) {
        format!("world {} may not import it", kind.world())
    } else {
        format!(
            "this engine does not know it; world {} may import only what wit/ has{}",
            kind.world(),
            built_for_another(import)
        )
    };
    Problem { place: format!("import {}", quoted(name)), what }
}

/// Of a component that was built for another version of `wit/`: why it asks for what is not here.
fn built_for_another(import: &str) -> String {
    let offered = &Worlds::get().version;
    match import.strip_prefix("strowger:script/").and_then(|import| import.split_once('@')) {
        Some((_, version)) if version != offered => {
            format!("; it is built for version {}, and this engine offers {offered}", quoted(version))
        }
        _ => String::new(),
    }
}

fn unversioned(name: &str) -> &str {
    name.split_once('@').map_or(name, |(name, _version)| name)
}

fn quoted(name: &str) -> &str {
    &name[..name.floor_char_boundary(QUOTED)]
}

/// What can be seen of a component without compiling it.
#[derive(Default)]
struct Outline {
    imports: Vec<String>,
    exports: Vec<String>,
    /// What its largest memory begins with.
    pages: u64,
    /// A module in it has [`sections::NOTHING_AFTER`].
    nothing_after: bool,
}

fn outline(bytes: &[u8]) -> Result<Outline, Refused> {
    let damaged = |error: wasmparser::BinaryReaderError| Refused::one("component", error.to_string());
    let (mut outline, mut depth, mut begun) = (Outline::default(), 0_usize, false);
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(damaged)? {
            Payload::Version { encoding: Encoding::Module, .. } if !begun => {
                let what = "this is a core module; make a component of it (strowger script build does)";
                return Err(Refused::one("component", what));
            }
            Payload::Version { .. } => begun = true,
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    let import = import.map_err(damaged)?;
                    // A type only gives a name to one that an interface defines.
                    if !matches!(import.ty, ComponentTypeRef::Type(_)) {
                        outline.imports.push(import.name.name.to_owned());
                    }
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    outline.exports.push(export.map_err(damaged)?.name.name.to_owned());
                }
            }
            Payload::MemorySection(section) => {
                for memory in section {
                    outline.pages = outline.pages.max(memory.map_err(damaged)?.initial);
                }
            }
            Payload::CustomSection(section) if section.name() == sections::NOTHING_AFTER => {
                outline.nothing_after = true;
            }
            _ => {}
        }
    }
    Ok(outline)
}

/// `wit/`, as names.
struct Worlds {
    call: World,
    strategy: World,
    task: World,
    /// Of the package.
    version: String,
}

struct World {
    /// Interfaces, and the functions of each as the binary format names them.
    imports: BTreeMap<String, BTreeSet<String>>,
    exports: BTreeSet<String>,
}

impl Worlds {
    fn get() -> &'static Self {
        static WORLDS: OnceLock<Worlds> = OnceLock::new();
        WORLDS.get_or_init(|| {
            let mut resolve = Resolve::default();
            resolve.push_source("strowger.wit", WIT).expect("wit/ is checked by bindgen when this is built");
            let version = resolve.packages.iter().find_map(|(_, package)| package.name.version.as_ref());
            Self {
                call: World::named(&resolve, Kind::Call),
                strategy: World::named(&resolve, Kind::Strategy),
                task: World::named(&resolve, Kind::Task),
                version: version.expect("the package has a version").to_string(),
            }
        })
    }

    /// The version that an import of ours was built for, when it is none that this one serves. Versions serve each other
    /// that are the same up to the first number that is not 0 (Semantic Versioning §4, §8); what a newer one of them has
    /// and this one has not is named by its functions.
    fn parts_from<'a>(&self, import: &'a str) -> Option<&'a str> {
        let (name, version) = import.split_once('@')?;
        let track = |version: &str| {
            let numbers: Vec<_> = version.split('.').map(str::to_owned).collect();
            let until =
                numbers.iter().position(|number| number != "0").map_or(numbers.len(), |place| place + 1);
            numbers[..until].to_vec()
        };
        (!name.starts_with("wasi:") && track(version) != track(&self.version)).then_some(version)
    }

    fn of(&self, kind: Kind) -> &World {
        match kind {
            Kind::Call => &self.call,
            Kind::Strategy => &self.strategy,
            Kind::Task => &self.task,
        }
    }

    fn all(&self) -> impl Iterator<Item = &World> {
        [&self.call, &self.strategy, &self.task].into_iter()
    }

    /// By what it exports: no two worlds share a name there. What exports nothing known is told what a call script must.
    fn kind(&self, exports: &[String]) -> Kind {
        let of = |kind: &Kind| exports.iter().any(|name| self.of(*kind).exports.contains(name));
        [Kind::Strategy, Kind::Task].into_iter().find(of).unwrap_or(Kind::Call)
    }
}

impl World {
    fn named(resolve: &Resolve, kind: Kind) -> Self {
        let (_, world) = resolve
            .worlds
            .iter()
            .find(|(_, world)| world.name == kind.world())
            .expect("bindgen uses the same worlds");
        let imports = world.imports.iter().filter_map(|(key, item)| {
            let WorldItem::Interface { id, .. } = item else { return None };
            let functions = resolve.interfaces[*id].functions.keys().cloned().collect();
            Some((unversioned(&resolve.name_world_key(key)).to_owned(), functions))
        });
        let exports = world.exports.keys().filter_map(|key| match key {
            WorldKey::Name(name) => Some(name.clone()),
            WorldKey::Interface(_) => None,
        });
        Self { imports: imports.collect(), exports: exports.collect() }
    }
}
