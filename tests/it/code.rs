//! The source code itself: structure and vocabulary. These tests need nothing.

mod architecture;
mod imports;
mod vocabulary;
