//! `strowger export`: the register as a file, a row a call.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::api::{Api, escaped};
use super::{Failed, Remote};

#[derive(Args)]
pub(super) struct Export {
    #[command(flatten)]
    remote: Remote,
    /// Where to: a file that ends in .csv or .parquet
    file: PathBuf,
    /// Only calls that arrived then or later: 2026-11-01T00:00:00+02:00
    #[arg(long)]
    from: Option<String>,
    /// Only calls that arrived before
    #[arg(long)]
    to: Option<String>,
    /// Only calls that this user answered
    #[arg(long)]
    agent: Option<String>,
    /// Only calls that ended so: answered, missed, abandoned, voicemail, rejected or failed
    #[arg(long)]
    outcome: Option<String>,
    /// Only calls that were about this
    #[arg(long)]
    category: Option<String>,
    /// Only calls to numbers of this advertising source
    #[arg(long)]
    source: Option<String>,
}

pub(super) fn run(export: &Export) -> Result<ExitCode, Failed> {
    let accept = match export.file.extension().and_then(|extension| extension.to_str()) {
        Some("csv") => "text/csv",
        Some("parquet") => "application/vnd.apache.parquet",
        _ => return Err(Failed("write a file that ends in .csv or .parquet".to_owned())),
    };
    let api = Api::new(&export.remote)?;
    let wanted = [
        ("from", &export.from),
        ("to", &export.to),
        ("agent", &export.agent),
        ("outcome", &export.outcome),
        ("category", &export.category),
        ("source", &export.source),
    ];
    let query =
        wanted.iter().filter_map(|(key, value)| Some(format!("{key}={}", escaped(value.as_deref()?))));
    let query = query.collect::<Vec<_>>().join("&");
    let mut register = api.stream(&format!("{}/calls?{query}", api.tenant()?), accept)?;
    // Half of a register must not be taken for the whole.
    let part = export.file.with_added_extension("part");
    let copied = register.copy_to(&mut File::create(&part)?).map_err(Failed::from);
    let saved = copied.and_then(|_bytes| fs::rename(&part, &export.file).map_err(Failed::from));
    if saved.is_err() {
        let _gone = fs::remove_file(&part);
    }
    saved.map(|()| ExitCode::SUCCESS)
}
