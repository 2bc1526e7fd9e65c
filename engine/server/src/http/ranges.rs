//! A file over HTTP, whole or one range of it (RFC 9110 §14), so that a browser seeks in a recording and plays it faster.
//! Several ranges at once get the whole file, as the RFC allows; what begins behind the end gets 416.

use std::io::SeekFrom;
use std::ops::Range;
use std::time::UNIX_EPOCH;

use axum::body::{Body, Bytes};
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
    IF_NONE_MATCH, IF_RANGE, RANGE,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use super::problem::Problem;
use crate::recordings::Kept;

/// A file is sent in pieces of so many bytes.
const PIECE: usize = 64 << 10;

/// What is asked of a file of so many bytes.
#[derive(Debug, PartialEq)]
enum Asked {
    Whole,
    Part(Range<u64>),
    /// 416.
    Beyond,
}

/// Whether an answer begins at the file's beginning: the first of those by which a browser plays it.
pub(super) fn begins(headers: &HeaderMap, kept: &Kept) -> bool {
    match asked(headers, kept) {
        Asked::Whole => true,
        Asked::Part(range) => range.start == 0,
        Asked::Beyond => false,
    }
}

/// Sends a recording, or the part of it that is asked for. Whoever hears it may keep it, and nothing between may.
pub(super) async fn send(kept: &Kept, headers: &HeaderMap) -> Result<Response, Problem> {
    let gone = || Problem::not_found("there is no such recording");
    let tag = tag(kept);
    let same =
        |value: &HeaderValue| value.to_str().is_ok_and(|text| text.split(',').any(|one| one.trim() == tag));
    let name = format!("inline; filename=\"{}.{}\"", kept.name, kept.format.extension());
    let common = [
        (ETAG, tag.clone()),
        (ACCEPT_RANGES, "bytes".to_owned()),
        (CACHE_CONTROL, "private, no-cache".to_owned()),
    ];
    if headers.get(IF_NONE_MATCH).is_some_and(same) {
        return Ok((StatusCode::NOT_MODIFIED, common).into_response());
    }
    let (status, range) = match asked(headers, kept) {
        Asked::Whole => (StatusCode::OK, 0..kept.bytes),
        Asked::Part(range) => (StatusCode::PARTIAL_CONTENT, range),
        Asked::Beyond => {
            let what = format!("the recording has {} bytes", kept.bytes);
            let mut refusal = Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, what).into_response();
            if let Ok(size) = HeaderValue::from_str(&format!("bytes */{}", kept.bytes)) {
                refusal.headers_mut().insert(CONTENT_RANGE, size);
            }
            return Ok(refusal);
        }
    };
    let mut file = tokio::fs::File::open(&kept.path).await.map_err(|_| gone())?;
    file.seek(SeekFrom::Start(range.start)).await.map_err(|_| gone())?;
    let length = range.end - range.start;
    let pieces = stream::try_unfold(file.take(length), |mut file| async move {
        let mut piece = vec![0; PIECE];
        let read = file.read(&mut piece).await?;
        piece.truncate(read);
        Ok::<_, std::io::Error>((read > 0).then(|| (Bytes::from(piece), file)))
    });
    let about = [
        (CONTENT_TYPE, kept.format.media_type().to_owned()),
        (CONTENT_LENGTH, length.to_string()),
        (CONTENT_DISPOSITION, name),
    ];
    let part = (status == StatusCode::PARTIAL_CONTENT)
        .then(|| [(CONTENT_RANGE, format!("bytes {}-{}/{}", range.start, range.end - 1, kept.bytes))]);
    let mut response = (status, common, about, Body::from_stream(pieces)).into_response();
    for (name, value) in part.into_iter().flatten() {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}

/// Another one whenever the file is another: while a call is recorded, and when it was written anew.
fn tag(kept: &Kept) -> String {
    let modified = kept.modified.duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("\"{:x}-{:x}\"", modified.as_micros(), kept.bytes)
}

fn asked(headers: &HeaderMap, kept: &Kept) -> Asked {
    // RFC 9110 §13.1.5: the part is of another file than the one that the client has begun to read.
    let other = headers.get(IF_RANGE).is_some_and(|known| known.as_bytes() != tag(kept).as_bytes());
    let text = headers.get(RANGE).filter(|_| !other).and_then(|range| range.to_str().ok());
    text.map_or(Asked::Whole, |text| range(text, kept.bytes))
}

/// One range of RFC 9110 §14.1.2; what is no such thing counts for nothing (§14.2).
fn range(text: &str, bytes: u64) -> Asked {
    let Some((first, last)) = text
        .trim()
        .strip_prefix("bytes=")
        .filter(|set| !set.contains(','))
        .and_then(|set| set.trim().split_once('-'))
    else {
        return Asked::Whole;
    };
    let number = |text: &str| text.trim().parse::<u64>();
    match (first.trim(), last.trim()) {
        ("", count) => match number(count) {
            Err(_) => Asked::Whole,
            Ok(count) if count == 0 || bytes == 0 => Asked::Beyond,
            Ok(count) => Asked::Part(bytes.saturating_sub(count)..bytes),
        },
        (first, last) => {
            let until = if last.is_empty() { Ok(u64::MAX) } else { number(last) };
            match (number(first), until) {
                (Ok(first), Ok(last)) if first > last => Asked::Whole,
                (Ok(first), Ok(_)) if first >= bytes => Asked::Beyond,
                (Ok(first), Ok(last)) => Asked::Part(first..last.saturating_add(1).min(bytes)),
                _ => Asked::Whole,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc9110_14_1_2_ranges_of_bytes() {
        let of = |text| range(text, 1000);
        assert_eq!(of("bytes=0-499"), Asked::Part(0..500));
        assert_eq!(of("bytes=500-999"), Asked::Part(500..1000));
        assert_eq!(of("bytes=500-5000"), Asked::Part(500..1000));
        assert_eq!(of("bytes=-500"), Asked::Part(500..1000));
        assert_eq!(of("bytes=-5000"), Asked::Part(0..1000));
        assert_eq!(of("bytes=950-"), Asked::Part(950..1000));
        assert_eq!(of("bytes=0-0"), Asked::Part(0..1));
        for beyond in ["bytes=1000-", "bytes=1000-1000", "bytes=-0", "bytes=99999999999999-"] {
            assert_eq!(of(beyond), Asked::Beyond, "{beyond}");
        }
        for nothing in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=a-b",
            "bytes=5-4",
            "bytes=0-1,3-4",
            "lines=0-1",
            "bytes=1-99999999999999999999",
        ] {
            assert_eq!(of(nothing), Asked::Whole, "{nothing}");
        }
        assert_eq!(range("bytes=0-", 0), Asked::Beyond);
        assert_eq!(range("bytes=-1", 0), Asked::Beyond);
    }
}
