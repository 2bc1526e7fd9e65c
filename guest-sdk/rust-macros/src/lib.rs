//! The attributes `#[call_script]`, `#[queue_strategy]`, `#[task_script]` and `#[settings]` of strowger-script, which
//! re-exports and documents them with examples.
//!
//! They only put tokens around what they stand on, so there is no parser here and nothing to compile but this file.

use proc_macro::{TokenStream, TokenTree};

/// Makes a function the script of a call: it becomes the `on-call` export of the component.
///
/// The function takes the caller's leg, and the settings if it wants any:
/// `fn on_call(caller: Leg) -> Result` or `fn on_call(caller: Leg, shop: Shop) -> Result`. With
/// `#[call_script(ended = after)]` the function `after(record: CallRecord) -> Result` runs when the call is over; a script
/// without one says so in its component, and nothing is run after its calls.
/// In a native build the function stays as it is, for the simulator to run.
#[proc_macro_attribute]
pub fn call_script(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let Some(on_call) = name_after(&item, "fn") else {
        return refuse("#[call_script] belongs above a function");
    };
    let (on_ended, nothing_after) = match arguments.to_string().replace(' ', "").strip_prefix("ended=") {
        Some(name) => (name.to_owned(), ""),
        None if arguments.is_empty() => ("::strowger_script::entry::nothing_after".to_owned(), NOTHING_AFTER),
        None => return refuse("#[call_script] takes nothing, or `ended = a_function`"),
    };
    let exports = format!(
        "#[cfg(target_arch = \"wasm32\")]
        mod __component {{
            #[allow(unused_imports)]
            use super::*;
            struct Component;
            impl ::strowger_script::entry::Guest for Component {{
                fn on_call(caller: ::strowger_script::entry::RawLeg)
                    -> ::core::result::Result<(), ::strowger_script::prelude::Failure> {{
                    ::strowger_script::entry::on_call({on_call}, caller)
                }}
                fn on_ended(how: ::strowger_script::entry::RawRecord)
                    -> ::core::result::Result<(), ::strowger_script::prelude::Failure> {{
                    ::strowger_script::entry::on_ended({on_ended}, how)
                }}
            }}
            ::strowger_script::entry::bindings::export_call_script!(Component with_types_in ::strowger_script::entry::bindings);
            {nothing_after}
        }}
        #[cfg(not(target_arch = \"wasm32\"))]
        const _: fn() = || ::strowger_script::entry::fits({on_call}, {on_ended});"
    );
    let mut all = item;
    all.extend(exports.parse::<TokenStream>().expect("the text above is Rust"));
    all
}

/// The section by which a component says that it does nothing after a call: the engine doesn't make a sandbox for it then.
const NOTHING_AFTER: &str = "#[used]
    #[unsafe(link_section = \"strowger:nothing-after\")]
    static NOTHING_AFTER: [u8; 1] = [1];";

/// Makes a function a queue strategy: it becomes the `rank` export of the component.
///
/// The function takes the snapshot, and the queue's settings if it wants any: `fn rank(now: &Snapshot) -> Offers` or
/// `fn rank(now: &Snapshot, mine: Mine) -> Offers`. The other four questions are answered by the queue's settings unless
/// functions for them are named, as `#[queue_strategy(admit = who_may_wait, on_digit = key)]`:
///
/// - `admit`: `fn(&Snapshot, &Waiting) -> Admission`
/// - `expected_wait`: `fn(&Snapshot, &Waiting) -> Option<Duration>`
/// - `announce`: `fn(&Snapshot, &Waiting, said: Duration) -> Announcement`
/// - `on_digit`: `fn(&Snapshot, &Waiting, char) -> KeyAction`
///
/// In a native build the function stays as it is, for tests to call.
#[proc_macro_attribute]
pub fn queue_strategy(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let Some(rank) = name_after(&item, "fn") else {
        return refuse("#[queue_strategy] belongs above a function");
    };
    let mut functions = QUESTIONS.map(|question| format!("::strowger_script::strategy::entry::{question}"));
    let arguments = arguments.to_string().replace(' ', "");
    for argument in arguments.split(',').filter(|argument| !argument.is_empty()) {
        let named = argument.split_once('=').and_then(|(question, function)| {
            Some((QUESTIONS.iter().position(|known| *known == question)?, function))
        });
        let Some((place, function)) = named else {
            return refuse(
                "#[queue_strategy] takes `question = a_function`; the questions are admit, expected_wait, announce, on_digit",
            );
        };
        functions[place] = function.to_owned();
    }
    let [admit, expected_wait, announce, on_digit] = functions;
    let exports = format!(
        "#[cfg(target_arch = \"wasm32\")]
        mod __component {{
            #[allow(unused_imports)]
            use super::*;
            use ::strowger_script::strategy::entry::{{bindings as __wit, exports as __exports}};
            struct Component;
            impl __wit::Guest for Component {{
                fn admit(now: &__wit::Snapshot, who: &__wit::Waiting) -> __wit::Admission {{
                    __exports::admit({admit}, now, who)
                }}
                fn rank(now: &__wit::Snapshot) -> __wit::Ranking {{
                    __exports::rank({rank}, now)
                }}
                fn expected_wait(now: &__wit::Snapshot, who: &__wit::Waiting) -> ::core::option::Option<u32> {{
                    __exports::expected_wait({expected_wait}, now, who)
                }}
                fn announce(now: &__wit::Snapshot, who: &__wit::Waiting, said: u32) -> __wit::Announcement {{
                    __exports::announce({announce}, now, who, said)
                }}
                fn on_digit(now: &__wit::Snapshot, who: &__wit::Waiting, key: char) -> __wit::KeyAction {{
                    __exports::on_digit({on_digit}, now, who, key)
                }}
            }}
            __wit::export_queue_strategy!(Component with_types_in __wit);
        }}
        #[cfg(not(target_arch = \"wasm32\"))]
        const _: fn() = || ::strowger_script::strategy::entry::fits(
            {rank}, {admit}, {expected_wait}, {announce}, {on_digit});"
    );
    let mut all = item;
    all.extend(exports.parse::<TokenStream>().expect("the text above is Rust"));
    all
}

/// The questions of a strategy besides `rank`, which a queue's settings answer by themselves.
const QUESTIONS: [&str; 4] = ["admit", "expected_wait", "announce", "on_digit"];

/// Makes a function a task script: it becomes the `on-change` export of the component, and hears of each change of a call
/// back.
///
/// The function takes the change, and the script's settings if it wants any: `fn on_change(change: Change) -> Result` or
/// `fn on_change(change: Change, mine: Mine) -> Result`. In a native build the function stays as it is, for the simulator
/// to run.
#[proc_macro_attribute]
pub fn task_script(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let Some(on_change) = name_after(&item, "fn") else {
        return refuse("#[task_script] belongs above a function");
    };
    if !arguments.is_empty() {
        return refuse("#[task_script] takes nothing");
    }
    let exports = format!(
        "#[cfg(target_arch = \"wasm32\")]
        mod __component {{
            #[allow(unused_imports)]
            use super::*;
            use ::strowger_script::tasks::entry as __entry;
            struct Component;
            impl __entry::Guest for Component {{
                fn on_change(what: __entry::RawChange)
                    -> ::core::result::Result<(), ::strowger_script::prelude::Failure> {{
                    __entry::on_change({on_change}, what)
                }}
            }}
            __entry::bindings::export_task_script!(Component with_types_in __entry::bindings);
        }}
        #[cfg(not(target_arch = \"wasm32\"))]
        const _: fn() = || ::strowger_script::tasks::entry::fits({on_change});"
    );
    let mut all = item;
    all.extend(exports.parse::<TokenStream>().expect("the text above is Rust"));
    all
}

/// Makes a struct or enum part of a script's settings: it is read from the number's JSON, unknown keys are errors, and
/// its doc comments become the JSON Schema's descriptions.
#[proc_macro_attribute]
pub fn settings(_: TokenStream, item: TokenStream) -> TokenStream {
    let is_struct = name_after(&item, "struct").is_some();
    if !is_struct && name_after(&item, "enum").is_none() {
        return refuse("#[settings] belongs above a struct or an enum");
    }
    let mut all: TokenStream = "#[derive(Clone, Debug, ::strowger_script::serde::Deserialize)]
        #[serde(crate = \"::strowger_script::serde\", rename_all = \"snake_case\", deny_unknown_fields)]
        #[cfg_attr(not(target_arch = \"wasm32\"),
            derive(::strowger_script::schemars::JsonSchema), schemars(crate = \"::strowger_script::schemars\"))]"
        .parse()
        .expect("the text above is Rust");
    all.extend(item);
    all
}

/// The identifier that follows a keyword at the item's own level.
fn name_after(item: &TokenStream, keyword: &str) -> Option<String> {
    let mut tokens = item.clone().into_iter();
    tokens.find(|token| matches!(token, TokenTree::Ident(word) if word.to_string() == keyword))?;
    match tokens.next() {
        Some(TokenTree::Ident(name)) => Some(name.to_string()),
        _ => None,
    }
}

fn refuse(why: &str) -> TokenStream {
    format!("compile_error!({why:?});").parse().expect("a macro call is Rust")
}
