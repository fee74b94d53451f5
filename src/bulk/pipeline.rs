//! Three stages side by side, a window in the hand of each and one between two: reading with tokenising, the forward pass,
//! writing. The model waits for nobody while reading and writing keep up.

use super::draft::Output;
use super::kept::Kept;
use super::sink::{Sink, Vectors};
use super::source::{Mark, Source, Window};
use super::{BulkError, Counts, Extent, Settings, Watch};
use crate::embed::{self, Embedder, TokenIds};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

/// Texts of one forward call: many enough for the model to sort them by length, few enough for the bar to move.
const TEXTS_PER_CALL: usize = 1024;

/// Windows between two stages.
const WAITING_WINDOWS: usize = 1;

pub struct Job<'a> {
    pub settings: &'a Settings,
    pub extent: Extent,
    /// Where in it work starts.
    pub start: u64,
    /// What an earlier run has done.
    pub counts: Counts,
    pub watch: Arc<dyn Watch>,
}

/// A window whose texts are tokens.
struct Tokenised {
    kept: Kept,
    /// A text's tokens, or nothing where there is no text.
    tokens: Vec<Option<TokenIds>>,
    end: Mark,
}

/// What the reader sends: windows, then nothing once; or an error and no more.
type Read = Result<Option<Tokenised>, BulkError>;

/// What the writer takes: windows, or nothing for "stop here, it is not the end".
type Write = Option<Embedded>;
type Writer = JoinHandle<Result<(), BulkError>>;

/// A window with its vectors and all that was done up to its end.
struct Embedded {
    kept: Kept,
    vectors: Vectors,
    end: Mark,
    counts: Counts,
}

impl Job<'_> {
    /// Embeds and writes all windows from here on.
    ///
    /// # Errors
    /// The first one of any stage.
    pub fn run(
        mut self,
        source: Box<dyn Source>,
        model: Arc<dyn Embedder>,
        sink: Sink,
        output: Output,
    ) -> Result<Counts, BulkError> {
        let tokenised = self.start_reading(source, Arc::clone(&model))?;
        let (to_writer, writer) = start_writing(sink, output, self.counts)?;
        let embedded = self.embed_all(&*model, &tokenised, &to_writer);
        match embedded {
            Ok(true) => drop(to_writer),
            // The writer is gone, and says why itself.
            Ok(false) => {}
            // The writer must not take the end of the windows for the end of the input.
            Err(error) => {
                let _ = to_writer.send(None);
                let _ = join(writer);
                return Err(error);
            }
        }
        join(writer)?;
        Ok(self.counts)
    }

    /// The reader is left to itself when a later stage fails: it may hang on a pipe that nobody writes to.
    fn start_reading(
        &self,
        mut source: Box<dyn Source>,
        model: Arc<dyn Embedder>,
    ) -> Result<Receiver<Read>, BulkError> {
        let (send, receive) = sync_channel(WAITING_WINDOWS);
        let (prefix, watch) = (self.settings.prefix.clone(), Arc::clone(&self.watch));
        let work = move || {
            loop {
                let read = source.next().and_then(|window| {
                    window.map(|window| tokenise(window, &*model, prefix.as_deref(), &*watch)).transpose()
                });
                let is_last = !matches!(read, Ok(Some(_)));
                if send.send(read).is_err() || is_last {
                    return;
                }
            }
        };
        spawn("read", work)?;
        Ok(receive)
    }

    /// The model's own stage. False when the writer is gone.
    fn embed_all(
        &mut self,
        model: &dyn Embedder,
        windows: &Receiver<Read>,
        to_writer: &SyncSender<Write>,
    ) -> Result<bool, BulkError> {
        let mut position = self.start;
        loop {
            let read = windows.recv().map_err(|_| BulkError::Internal("reading panicked".into()))?;
            let Some(window) = read? else { return Ok(true) };
            let end = window.end.position(self.extent).max(position);
            let vectors = self.embed(model, &window.tokens, position..end)?;
            position = end;
            self.counts.rows = window.end.rows;
            self.counts.skipped = window.end.skipped;
            let embedded = Embedded { kept: window.kept, vectors, end: window.end, counts: self.counts };
            if to_writer.send(Some(embedded)).is_err() {
                return Ok(false);
            }
        }
    }

    /// Vectors of a window that lies in this range of the input.
    fn embed(
        &mut self,
        model: &dyn Embedder,
        tokens: &[Option<TokenIds>],
        range: std::ops::Range<u64>,
    ) -> Result<Vectors, BulkError> {
        let dimension = model.info().dimension;
        let present: Vec<bool> = tokens.iter().map(Option::is_some).collect();
        let mut values = vec![0f32; tokens.len() * dimension];
        let rows: Vec<(usize, &TokenIds)> =
            tokens.iter().enumerate().filter_map(|(row, tokens)| Some((row, tokens.as_ref()?))).collect();
        for (at, part) in rows.chunks(TEXTS_PER_CALL).enumerate() {
            let texts: Vec<&TokenIds> = part.iter().map(|(_, tokens)| *tokens).collect();
            let mut vectors = crate::compute::for_model(|| model.forward(&texts, embed::Output::Pooled))?;
            model.info().finish(&mut vectors);
            for ((row, _), vector) in part.iter().zip(vectors.chunks_exact(dimension.max(1))) {
                values[row * dimension..(row + 1) * dimension].copy_from_slice(vector);
            }
            let n_tokens: u64 = part.iter().map(|(_, tokens)| tokens.ids.len() as u64).sum();
            self.counts.tokens += n_tokens;
            self.counts.truncated += part.iter().filter(|(_, tokens)| tokens.truncated).count() as u64;
            let done = (at * TEXTS_PER_CALL + part.len()) as u64 * (range.end - range.start) / rows.len() as u64;
            self.watch.advance(part.len() as u64, n_tokens, range.start + done);
        }
        self.counts.without_text += (tokens.len() - rows.len()) as u64;
        Ok(Vectors { dimension, values, present })
    }
}

fn tokenise(
    window: Window,
    model: &dyn Embedder,
    prefix: Option<&str>,
    watch: &dyn Watch,
) -> Result<Tokenised, BulkError> {
    window.complaints.iter().for_each(|complaint| watch.note(complaint));
    let texts: Vec<&str> = window.texts.iter().flatten().map(String::as_str).collect();
    let mut tokens = model.tokenize(&texts, prefix)?.into_iter();
    let tokens = window.texts.iter().map(|text| text.as_ref().and_then(|_| tokens.next())).collect();
    Ok(Tokenised { kept: window.kept, tokens, end: window.end })
}

fn start_writing(sink: Sink, mut output: Output, counts: Counts) -> Result<(SyncSender<Write>, Writer), BulkError> {
    let (send, receive) = sync_channel::<Write>(WAITING_WINDOWS);
    let work = move || {
        let (mut end, mut counts) = (Mark::default(), counts);
        if output.is_new() {
            output.append(&sink.head()?, end, counts)?;
        }
        for window in receive {
            let Some(window) = window else { return Ok(()) };
            (end, counts) = (window.end, window.counts);
            output.append(&sink.window(&window.kept, &window.vectors)?, end, counts)?;
        }
        output.finish(&sink, end, counts)
    };
    Ok((send, spawn("write", work)?))
}

fn spawn<T: Send + 'static>(name: &str, work: impl FnOnce() -> T + Send + 'static) -> Result<JoinHandle<T>, BulkError> {
    std::thread::Builder::new().name(name.into()).spawn(work).map_err(BulkError::io("there is no thread to be had"))
}

fn join(thread: Writer) -> Result<(), BulkError> {
    thread.join().unwrap_or_else(|_| Err(BulkError::Internal("writing panicked".into())))
}
