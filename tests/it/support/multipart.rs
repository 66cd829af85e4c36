//! Bodies of `multipart/form-data`.

/// Not contained in any test value.
const BOUNDARY: &str = "b-7d3f0c5e91a24c6f8e02-b";

/// A body under construction.
#[derive(Clone, Default)]
pub(crate) struct Multipart(Vec<u8>);

impl Multipart {
    pub(crate) const CONTENT_TYPE: &str = "multipart/form-data; boundary=b-7d3f0c5e91a24c6f8e02-b";

    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A string.
    pub(crate) fn text(self, name: &str, value: &str) -> Self {
        self.part(&disposition(name), value.as_bytes())
    }

    /// A file with a name and a content type.
    pub(crate) fn file(self, name: &str, file_name: &str, kind: &str, bytes: &[u8]) -> Self {
        let disposition = disposition(name);
        let head = format!("{disposition}; filename=\"{file_name}\"\r\nContent-Type: {kind}");
        self.part(&head, bytes)
    }

    /// A part with the headers in `head`, without the empty line.
    pub(crate) fn part(mut self, head: &str, content: &[u8]) -> Self {
        let before = format!("--{BOUNDARY}\r\n{head}\r\n\r\n");
        self.0.extend_from_slice(before.as_bytes());
        self.0.extend_from_slice(content);
        self.0.extend_from_slice(b"\r\n");
        self
    }

    /// The complete body.
    pub(crate) fn bytes(mut self) -> Vec<u8> {
        self.0
            .extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
        self.0
    }

    /// The body without the final boundary.
    pub(crate) fn unfinished(self) -> Vec<u8> {
        self.0
    }
}

/// The `Content-Disposition` header of a part.
pub(crate) fn disposition(name: &str) -> String {
    format!("Content-Disposition: form-data; name=\"{name}\"")
}
