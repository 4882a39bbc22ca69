//! Packed storage for what manifests refer to, spilled to a temporary file when it grows large.
//!
//! A reference takes its digest's bytes and one more. Writers append to buffers of their own and hand over whole
//! chunks; a [`Span`] says where a manifest's references lie. Beyond [`RESIDENT_LIMIT`] chunks go to a [`Spill`], so that
//! a registry of a hundred million blobs does not need their digests in memory.

use std::sync::RwLock;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::digest::{Algorithm, Digest};
use crate::error::Result;
use crate::manifest::{Reference, Role};
use crate::spill::{Kept, Spill};

/// Bytes of a chunk.
const CHUNK: usize = 256 * 1024;
/// Bytes of chunks kept in memory.
const RESIDENT_LIMIT: usize = 6 * 1024 * 1024;

/// Where the references of one manifest lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    chunk: u32,
    start: u32,
    length: u32,
}

/// All references of a catalog.
#[derive(Debug)]
pub struct References {
    /// Nothing for a chunk that its writer still has.
    chunks: RwLock<Vec<Option<Kept>>>,
    next: AtomicU32,
    spill: Spill,
}

impl Default for References {
    fn default() -> Self {
        Self { chunks: RwLock::default(), next: AtomicU32::default(), spill: Spill::new(RESIDENT_LIMIT) }
    }
}

/// Appends references for one thread.
#[derive(Debug, Default)]
pub struct Writer {
    chunk: u32,
    bytes: Vec<u8>,
}

impl References {
    /// Appends the references of one manifest.
    ///
    /// # Panics
    /// When one manifest's references pass 4 GiB, which [`crate::manifest::MAX_SIZE`] rules out.
    pub fn append(&self, writer: &mut Writer, references: &[Reference]) -> Span {
        if writer.bytes.len() >= CHUNK {
            self.finish(writer);
        }
        if writer.bytes.is_empty() {
            writer.chunk = self.next.fetch_add(1, Ordering::Relaxed);
            writer.bytes.reserve_exact(CHUNK + CHUNK / 4);
        }
        let start = writer.bytes.len();
        for reference in references {
            writer.bytes.push((reference.role as u8) << 4 | reference.digest.algorithm() as u8);
            writer.bytes.extend_from_slice(reference.digest.bytes());
        }
        let index = |length: usize| u32::try_from(length).expect("a manifest's references stay far below 4 GiB");
        Span { chunk: writer.chunk, start: index(start), length: index(writer.bytes.len() - start) }
    }

    /// Hands over what the writer holds. Until then its spans cannot be read.
    pub fn finish(&self, writer: &mut Writer) {
        if writer.bytes.is_empty() {
            return;
        }
        let bytes = std::mem::take(&mut writer.bytes);
        let chunk = self.spill.keep(bytes);
        let mut chunks = self.chunks.write().expect("no thread panics while it holds the chunks");
        let index = writer.chunk as usize;
        if chunks.len() <= index {
            chunks.resize_with(index + 1, || None);
        }
        chunks[index] = Some(chunk);
    }

    /// Calls `visit` with each reference of a span, in the order of the document.
    ///
    /// # Errors
    /// When the temporary file cannot be read.
    pub fn for_each(&self, span: Span, buffer: &mut Vec<u8>, mut visit: impl FnMut(Reference)) -> Result<()> {
        if span.length == 0 {
            return Ok(());
        }
        let chunks = self.chunks.read().expect("no thread panics while it holds the chunks");
        let chunk = chunks[span.chunk as usize].as_ref().expect("spans are read after their writers have finished");
        decode(self.spill.read(chunk, span.start as usize, span.length as usize, buffer)?, &mut visit);
        Ok(())
    }
}

const ROLES: [Role; 7] =
    [Role::Config, Role::Layer, Role::ForeignLayer, Role::Child, Role::ChildOrBlob, Role::Subject, Role::Any];

fn decode(mut bytes: &[u8], visit: &mut impl FnMut(Reference)) {
    while let Some((&tag, rest)) = bytes.split_first() {
        let algorithm = Algorithm::ALL[(tag & 0x0f) as usize];
        let (raw, rest) = rest.split_at(algorithm.length());
        let digest = Digest::from_bytes(algorithm, raw).expect("as many bytes as were packed");
        visit(Reference { role: ROLES[(tag >> 4) as usize], digest });
        bytes = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(number: u32) -> Reference {
        let algorithm = Algorithm::ALL[number as usize % 3];
        Reference { role: ROLES[number as usize % 7], digest: Digest::of(algorithm, &number.to_le_bytes()) }
    }

    #[test]
    fn references_come_back_from_memory_and_from_the_spill() {
        let references = References::default();
        let mut writers = [Writer::default(), Writer::default()];
        // Enough for both: memory up to the limit, and some in the file.
        let all: Vec<Vec<Reference>> = (0..1000).map(|n| (n * 700..(n + 1) * 700).map(reference).collect()).collect();
        let spans: Vec<Span> =
            all.iter().enumerate().map(|(n, some)| references.append(&mut writers[n % 2], some)).collect();
        for writer in &mut writers {
            references.finish(writer);
        }
        assert!(references.spill.spilled_bytes() > 0, "the test is to reach the spill");
        let mut buffer = Vec::new();
        for (span, expected) in spans.into_iter().zip(&all) {
            let mut found = Vec::new();
            references.for_each(span, &mut buffer, |reference| found.push(reference)).unwrap();
            assert_eq!(&found, expected);
        }
    }
}
