//! Catalog files of one test.

use std::{fs, path::PathBuf};

/// A temporary file, deleted on drop.
pub(crate) struct CatalogFile(PathBuf);

impl CatalogFile {
    pub(crate) fn new(text: &str) -> Self {
        let name = format!("catalog-{}.toml", uuid::Uuid::new_v4().simple());
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::write(&path, text).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for CatalogFile {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.0));
    }
}
