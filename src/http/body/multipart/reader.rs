//! Reads the parts of a multipart body (RFC 2046 section 5.1) from a stream.

use std::fmt;

use actix_web::{
    error::PayloadError,
    web::{Buf, Bytes, BytesMut},
};
use futures_util::{Stream, StreamExt};
use memchr::memmem::Finder;

use super::super::{header_value::display_bytes, limited_stream::StreamFailure};
use crate::http::ApiError;

/// The maximum size of the headers of a part.
const MAX_HEAD_BYTES: usize = 32 * 1024;
/// The maximum number of bytes after the boundary on its line.
const MAX_PADDING_BYTES: usize = 1024;
const CRLF: &[u8] = b"\r\n";
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads the parts in sequence: [`Reader::next_head`], then [`Reader::next_bytes`] until it returns `None`. Buffers
/// at most the headers of a part or the last chunk.
pub(super) struct Reader<S> {
    stream: S,
    failure: StreamFailure,
    buffer: BytesMut,
    /// The delimiter before each part and at the end: a line break, two dashes and the boundary.
    delimiter: Finder<'static>,
    state: ReaderState,
    /// The number of the current part, from 1.
    part_number: usize,
}

/// The element that the first byte of the buffer belongs to.
#[derive(PartialEq, Eq)]
enum ReaderState {
    Preamble,
    Head,
    /// The line break after the headers. In an empty part it is also the start of the delimiter.
    BlankLine,
    Content,
    End,
}

impl<S: Stream<Item = Result<Bytes, PayloadError>> + Unpin> Reader<S> {
    pub(super) fn new(stream: S, failure: StreamFailure, boundary: &[u8]) -> Self {
        let delimiter = [b"\r\n--", boundary].concat();
        Self {
            stream,
            failure,
            buffer: BytesMut::new(),
            delimiter: Finder::new(&delimiter).into_owned(),
            state: ReaderState::Preamble,
            part_number: 0,
        }
    }

    /// The number of the current part, from 1.
    pub(super) fn part_number(&self) -> usize {
        self.part_number
    }

    /// The error of the current part.
    pub(super) fn invalid_part(&self, reason: impl fmt::Display) -> ApiError {
        ApiError::InvalidBody(format!("part {} of the body: {reason}", self.part_number))
    }

    /// The headers of the next part, without the blank line; `None` after the last part. The previous part must have
    /// been read to its end.
    pub(super) async fn next_head(&mut self) -> Result<Option<Bytes>, ApiError> {
        if self.state == ReaderState::Preamble && !self.skip_preamble().await? {
            return Ok(None);
        }
        if self.state == ReaderState::End {
            self.skip_epilogue().await?;
            return Ok(None);
        }
        let mut searched = 0_usize;
        loop {
            if self.buffer.starts_with(CRLF) {
                self.state = ReaderState::BlankLine;
                return Ok(Some(Bytes::new()));
            }
            // Up to three bytes of the blank line may be in the bytes that were searched before.
            let start = searched.saturating_sub(3);
            let rest = self.buffer.get(start..).unwrap_or_default();
            let end = memchr::memmem::find(rest, b"\r\n\r\n");
            if end.map_or(self.buffer.len(), |end| start + end) > MAX_HEAD_BYTES {
                return Err(
                    self.invalid_part(format_args!("its headers are over {MAX_HEAD_BYTES} bytes"))
                );
            }
            if let Some(end) = end {
                let head = self.buffer.split_to(start + end).freeze();
                self.buffer.advance(CRLF.len());
                self.state = ReaderState::BlankLine;
                return Ok(Some(head));
            }
            searched = self.buffer.len();
            if !self.fill_buffer().await? {
                let hint = if has_bare_lf(&self.buffer) {
                    "; lines must end with CR LF, not with LF alone"
                } else {
                    ""
                };
                return Err(
                    self.invalid_part(format_args!("the body ends within its headers{hint}"))
                );
            }
        }
    }

    /// The next bytes of the content of a part; `None` at its end.
    pub(super) async fn next_bytes(&mut self) -> Result<Option<Bytes>, ApiError> {
        if self.state == ReaderState::BlankLine {
            while self.is_delimiter_prefix() && self.fill_buffer().await? {}
            if !self.buffer.starts_with(self.delimiter.needle()) {
                self.buffer.advance(CRLF.len().min(self.buffer.len()));
            }
            self.state = ReaderState::Content;
        }
        if self.state != ReaderState::Content {
            return Ok(None);
        }
        loop {
            let end = self.delimiter.find(&self.buffer);
            if end == Some(0) {
                self.take_delimiter().await?;
                return Ok(None);
            }
            let end = end.unwrap_or_else(|| self.bytes_before_partial_delimiter());
            if end > 0 {
                return Ok(Some(self.buffer.split_to(end).freeze()));
            }
            if !self.fill_buffer().await? {
                let close = [self.delimiter.needle().trim_ascii_start(), b"--"].concat();
                let close = display_bytes(&close);
                return Err(self.invalid_part(format_args!(
                    "the body ends within it, without a line break (CR LF) and the closing line {close}"
                )));
            }
        }
    }

    /// Whether the buffer is an incomplete delimiter.
    fn is_delimiter_prefix(&self) -> bool {
        let delimiter = self.delimiter.needle();
        self.buffer.len() < delimiter.len() && delimiter.starts_with(&self.buffer)
    }

    /// The number of bytes before a possible delimiter at the end of the buffer.
    fn bytes_before_partial_delimiter(&self) -> usize {
        let delimiter = self.delimiter.needle();
        let length = self.buffer.len();
        let start = length.saturating_sub(delimiter.len() - 1);
        // The only CR of a delimiter is its first byte.
        let rest = self.buffer.get(start..).unwrap_or_default();
        match memchr::memrchr(b'\r', rest) {
            Some(cr) if delimiter.starts_with(rest.get(cr..).unwrap_or_default()) => start + cr,
            _ => length,
        }
    }

    /// Consumes the delimiter at the start of the buffer, to the end of its line.
    async fn take_delimiter(&mut self) -> Result<(), ApiError> {
        self.buffer.advance(self.delimiter.needle().len());
        let mut ended = false;
        loop {
            let end = memchr::memchr(b'\n', &self.buffer);
            let line = self.buffer.get(..end.unwrap_or(self.buffer.len()));
            let line = line.unwrap_or_default();
            let (is_closing, padding) = match line.strip_prefix(b"--") {
                Some(padding) => (true, padding),
                None => (false, line),
            };
            let (padding, is_complete) = match padding.strip_suffix(b"\r") {
                Some(padding) => (padding, end.is_some()),
                None => (padding, false),
            };
            let is_blank = padding.iter().all(|byte| matches!(byte, b' ' | b'\t'));
            let is_blank = is_blank && line.len() <= MAX_PADDING_BYTES;
            if is_blank && (is_complete || (is_closing && ended)) {
                let length = end.map_or(self.buffer.len(), |end| end + 1);
                self.buffer.advance(length);
                self.state = if is_closing {
                    ReaderState::End
                } else {
                    ReaderState::Head
                };
                self.part_number += usize::from(!is_closing);
                return Ok(());
            }
            if end.is_some() || ended || line.len() > MAX_PADDING_BYTES {
                let boundary = display_bytes(self.delimiter.needle().trim_ascii_start());
                let line = display_bytes(line);
                return Err(ApiError::InvalidBody(format!(
                    "after part {} of the body, {line} follows the boundary {boundary}; only spaces and tabs \
                     and a line break (CR LF), or \"--\" at the end, are allowed",
                    self.part_number
                )));
            }
            ended = !self.fill_buffer().await?;
        }
    }

    /// Skips the bytes before the first part. Returns false if the body is empty.
    async fn skip_preamble(&mut self) -> Result<bool, ApiError> {
        while BYTE_ORDER_MARK.starts_with(&self.buffer) && self.buffer != BYTE_ORDER_MARK {
            if !self.fill_buffer().await? {
                break;
            }
        }
        if self.buffer.starts_with(BYTE_ORDER_MARK) {
            self.buffer.advance(BYTE_ORDER_MARK.len());
        } else if self.buffer.is_empty() {
            return Ok(false);
        }
        // The first line has no preceding line break.
        let first = [CRLF, &self.buffer].concat();
        self.buffer = BytesMut::from(first.as_slice());
        if !self.skip_to_delimiter("before the first part").await? {
            let boundary = display_bytes(self.delimiter.needle().trim_ascii_start());
            return Err(ApiError::InvalidBody(format!(
                "no line of the body begins with the boundary {boundary} of the Content-Type"
            )));
        }
        self.take_delimiter().await?;
        Ok(true)
    }

    /// Skips the bytes after the last part, so that the connection can be reused.
    async fn skip_epilogue(&mut self) -> Result<(), ApiError> {
        let first = [CRLF, &self.buffer].concat();
        self.buffer = BytesMut::from(first.as_slice());
        if self.skip_to_delimiter("after the last part").await? {
            let boundary = display_bytes(self.delimiter.needle().trim_ascii_start());
            return Err(ApiError::InvalidBody(format!(
                "the boundary {boundary} follows the closing line of the body"
            )));
        }
        Ok(())
    }

    /// Skips to the next delimiter. Returns whether there is one.
    async fn skip_to_delimiter(&mut self, position: &str) -> Result<bool, ApiError> {
        let delimiter = self.delimiter.needle().to_vec();
        let dashed = Finder::new(delimiter.get(CRLF.len()..).unwrap_or_default());
        loop {
            if let Some(end) = dashed.find(&self.buffer) {
                let start = end.saturating_sub(CRLF.len());
                if self.buffer.get(start..end) == Some(CRLF) {
                    self.buffer.advance(start);
                    return Ok(true);
                }
                let boundary = display_bytes(dashed.needle());
                return Err(ApiError::InvalidBody(format!(
                    "the boundary {boundary} {position} of the body is not at the start of a line (lines \
                     must end with CR LF)"
                )));
            }
            let skipped = self.buffer.len().saturating_sub(delimiter.len() - 1);
            self.buffer.advance(skipped);
            if !self.fill_buffer().await? {
                return Ok(false);
            }
        }
    }

    /// Waits for more bytes. Returns false at the end of the body.
    async fn fill_buffer(&mut self) -> Result<bool, ApiError> {
        match self.stream.next().await {
            Some(Ok(bytes)) => {
                self.buffer.extend_from_slice(&bytes);
                Ok(true)
            }
            Some(Err(error)) => Err(self.failure.to_api_error(&error)),
            None => Ok(false),
        }
    }
}

fn has_bare_lf(bytes: &[u8]) -> bool {
    let mut line_feeds = memchr::memchr_iter(b'\n', bytes);
    line_feeds.any(|at| at == 0 || bytes.get(at - 1) != Some(&b'\r'))
}
