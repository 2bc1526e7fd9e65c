//! The register as a file, for spreadsheets (CSV, RFC 4180) and for data tools (Parquet): one row a call, the newest first,
//! with the filters of the list. Rows leave as they are read, so that a register of any size costs the same memory.

use std::io::{self, Write};
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use exchange::CallRecord;
use jiff::tz::TimeZone;
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use store::Store;
use tokio::sync::{Semaphore, mpsc};

use super::problem::Problem;
use super::views::{direction, time};
use crate::config::Tenant;
use crate::records::{self, CATEGORY, Filter, VALUE, mark};

/// Exports at once; one more gets 503.
const EXPORTS: usize = 4;
/// Records that are read at once.
const PAGE: usize = 500;
/// Rows of one group in Parquet, which are held in memory together.
const GROUP: usize = 20_000;
/// Bytes of one piece that leaves, and pieces that may wait for a slow client.
const PIECE: usize = 64 << 10;
const PIECES: usize = 4;

static AT_ONCE: Semaphore = Semaphore::const_new(EXPORTS);

/// What a register is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Csv,
    Parquet,
}

impl Format {
    const ALL: [Self; 2] = [Self::Csv, Self::Parquet];

    /// Both are registered with IANA.
    fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv",
            Self::Parquet => "application/vnd.apache.parquet",
        }
    }

    fn file(self) -> &'static str {
        match self {
            Self::Csv => "attachment; filename=\"calls.csv\"",
            Self::Parquet => "attachment; filename=\"calls.parquet\"",
        }
    }

    /// What the client asks for (RFC 9110 §12.5.1); none when it takes the pages of the list.
    pub fn wanted(headers: &HeaderMap) -> Option<Self> {
        let accept = headers.get(header::ACCEPT)?.to_str().ok()?;
        let first = accept.split(',').next()?.split(';').next()?.trim();
        Self::ALL.into_iter().find(|format| format.media_type().eq_ignore_ascii_case(first))
    }
}

/// How a column is written.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Number,
    Moment,
}

/// The columns, in their order.
const COLUMNS: [(&str, Kind); 15] = [
    ("call", Kind::Text),
    ("started", Kind::Moment),
    ("direction", Kind::Text),
    ("source", Kind::Text),
    ("number", Kind::Text),
    ("name", Kind::Text),
    ("dialled", Kind::Text),
    ("queue", Kind::Text),
    ("agent", Kind::Text),
    ("outcome", Kind::Text),
    ("wait", Kind::Number),
    ("talk", Kind::Number),
    ("category", Kind::Text),
    ("value", Kind::Number),
    ("recordings", Kind::Text),
];

/// What stands in a row; none is an empty field, and null in Parquet.
enum Cell {
    Text(Option<String>),
    Number(Option<f64>),
    /// Seconds since 1970 UTC.
    Moment(f64),
}

fn cells(record: &CallRecord) -> [Cell; COLUMNS.len()] {
    let text = |text: &str| Cell::Text(Some(text.to_owned()).filter(|text| !text.is_empty()));
    let marked = |key: &str| mark(record, key).unwrap_or_default();
    [
        text(&record.id.to_string()),
        Cell::Moment(record.started),
        text(direction(record.direction)),
        text(record.source.as_deref().unwrap_or_default()),
        text(&record.from.number),
        text(record.from.name.as_deref().unwrap_or_default()),
        text(&record.dialled),
        text(marked("queue")),
        text(record.answered_by.as_deref().unwrap_or_default()),
        text(record.outcome.name()),
        Cell::Number(Some(record.wait.as_secs_f64())),
        Cell::Number(Some(record.talk.as_secs_f64())),
        text(marked(CATEGORY)),
        Cell::Number(mark(record, VALUE).and_then(|value| value.parse().ok())),
        text(&record.recordings.join(" ")),
    ]
}

/// The calls that the filter lets through.
pub(super) fn send(
    store: Store,
    tenant: &Arc<Tenant>,
    filter: Filter,
    format: Format,
) -> Result<Response, Problem> {
    let permit = AT_ONCE.try_acquire();
    let permit = permit.map_err(|_| Problem::unavailable(format!("{EXPORTS} exports are under way")))?;
    let (pieces, leaving) = mpsc::channel(PIECES);
    let tenant = tenant.clone();
    tokio::task::spawn_blocking(move || {
        let _permit = permit;
        let out = Pieces { pieces: pieces.clone(), piece: Vec::with_capacity(PIECE) };
        let rows = Rows { store, tenant: tenant.clone(), filter, pieces: pieces.clone(), over: false };
        let written = match format {
            Format::Csv => csv(rows, out, &tenant.timezone),
            Format::Parquet => parquet(rows, out),
        };
        if let Err(why) = written {
            tracing::debug!(tenant = &*tenant.name, %why, "an export ends early");
            // The client sees that it is not whole.
            let _gone = pieces.blocking_send(Err(why));
        }
    });
    let piece = |mut leaving: mpsc::Receiver<io::Result<Bytes>>| async move {
        let piece = leaving.recv().await?;
        Some((piece, leaving))
    };
    let body = Body::from_stream(futures_util::stream::unfold(leaving, piece));
    let headers = [(CONTENT_TYPE, format.media_type()), (CONTENT_DISPOSITION, format.file())];
    Ok((headers, body).into_response())
}

/// Pages of the register, the newest first.
struct Rows {
    store: Store,
    tenant: Arc<Tenant>,
    filter: Filter,
    pieces: mpsc::Sender<io::Result<Bytes>>,
    over: bool,
}

impl Iterator for Rows {
    type Item = io::Result<Vec<CallRecord>>;

    fn next(&mut self) -> Option<Self::Item> {
        // Nobody reads any more what nobody waits for.
        if self.over || self.pieces.is_closed() {
            return None;
        }
        let page = match records::page(&self.store, &self.tenant.name, &self.filter, PAGE) {
            Ok(page) => page,
            Err(why) => {
                self.over = true;
                return Some(Err(io::Error::other(why.to_string())));
            }
        };
        self.over = page.next.is_none();
        self.filter.before = page.next;
        Some(Ok(page.records))
    }
}

/// Sends what is written to the client, piece by piece, and waits while it is slow.
struct Pieces {
    pieces: mpsc::Sender<io::Result<Bytes>>,
    piece: Vec<u8>,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE));
        self.pieces.blocking_send(Ok(piece.into())).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

fn csv(rows: Rows, out: impl Write, zone: &TimeZone) -> io::Result<()> {
    let mut csv = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
    csv.write_record(COLUMNS.map(|(name, _)| name))?;
    for page in rows {
        for record in page? {
            csv.write_record(cells(&record).map(|cell| match cell {
                Cell::Text(text) => text.map(harmless).unwrap_or_default(),
                Cell::Number(number) => number.map(|number| number.to_string()).unwrap_or_default(),
                Cell::Moment(at) => time(at, zone),
            }))?;
        }
    }
    csv.flush()
}

/// Callers choose their names: what a spreadsheet would take for a formula gets an apostrophe, but for a number.
fn harmless(text: String) -> String {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.chars().next() {
        Some('=' | '@' | '-' | '\t' | '\r') => format!("'{text}"),
        Some('+') if !number(&text[1..]) => format!("'{text}"),
        _ => text,
    }
}

fn parquet(rows: Rows, out: impl Write + Send) -> io::Result<()> {
    let column = |(name, kind): &(&str, Kind)| match kind {
        Kind::Text => format!("optional binary {name} (STRING);"),
        Kind::Number => format!("optional double {name};"),
        Kind::Moment => format!("optional int64 {name} (TIMESTAMP(MILLIS,true));"),
    };
    let schema = format!("message calls {{ {} }}", COLUMNS.iter().map(column).collect::<String>());
    let schema = Arc::new(parse_message_type(&schema).map_err(broken)?);
    let properties = Arc::new(WriterProperties::builder().build());
    let mut writer = SerializedFileWriter::new(out, schema, properties).map_err(broken)?;
    let mut group = Vec::new();
    for page in rows {
        group.extend(page?.iter().map(cells));
        if group.len() >= GROUP {
            add(&mut writer, &std::mem::take(&mut group)).map_err(broken)?;
        }
    }
    if !group.is_empty() {
        add(&mut writer, &group).map_err(broken)?;
    }
    writer.into_inner().map_err(broken)?.flush()
}

fn broken(why: ParquetError) -> io::Error {
    io::Error::other(why)
}

/// Writes a group of rows, column by column; a level of 1 says that there is a value.
fn add<W: Write + Send>(
    writer: &mut SerializedFileWriter<W>,
    rows: &[[Cell; COLUMNS.len()]],
) -> Result<(), ParquetError> {
    let mut group = writer.next_row_group()?;
    for at in 0..COLUMNS.len() {
        let Some(mut column) = group.next_column()? else { break };
        let column_of = rows.iter().map(|row| &row[at]);
        let there = |cell: &Cell| !matches!(cell, Cell::Text(None) | Cell::Number(None));
        let levels: Vec<i16> = column_of.clone().map(|cell| i16::from(there(cell))).collect();
        let number = |cell: &Cell| if let Cell::Number(number) = cell { *number } else { None };
        let moment =
            |cell: &Cell| if let Cell::Moment(at) = cell { Some((*at * 1000.0) as i64) } else { None };
        let text = |cell: &Cell| match cell {
            Cell::Text(Some(text)) => Some(ByteArray::from(text.as_str())),
            _ => None,
        };
        match column.untyped() {
            ColumnWriter::DoubleColumnWriter(writer) => {
                writer.write_batch(&column_of.filter_map(number).collect::<Vec<_>>(), Some(&levels), None)?;
            }
            ColumnWriter::Int64ColumnWriter(writer) => {
                writer.write_batch(&column_of.filter_map(moment).collect::<Vec<_>>(), Some(&levels), None)?;
            }
            ColumnWriter::ByteArrayColumnWriter(writer) => {
                writer.write_batch(&column_of.filter_map(text).collect::<Vec<_>>(), Some(&levels), None)?;
            }
            _ => return Err(ParquetError::General("a column of a kind that is never written".to_owned())),
        }
        column.close()?;
    }
    group.close().map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spreadsheet_computes_nothing_that_a_caller_called_themselves() {
        for (given, written) in [
            ("=HYPERLINK(\"http://192.0.2.66\")", "'=HYPERLINK(\"http://192.0.2.66\")"),
            ("@SUM(1)", "'@SUM(1)"),
            ("-1+1", "'-1+1"),
            ("+1+1", "'+1+1"),
            ("+359888123456", "+359888123456"),
            ("Мария", "Мария"),
        ] {
            assert_eq!(harmless(given.to_owned()), written);
        }
    }
}
