//! Typed access to groups and datasets, checked before anything is allocated.

use std::cell::{Cell, OnceCell};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use hdf5_pure::{Layout, VlenStringReadOptions};

use super::error::{absent, problem};
use super::kind::Kind;
use super::source::{Counters, Guarded, MAX_EXPANSION};
use super::{Hdf5Error, Limits, Problem};

/// Largest part of a dataset that is read at once \[bytes\]; chunks above it are read once and kept.
pub(super) const BLOCK_BYTES: u64 = 1 << 20;

/// Filters that are undone: deflate, shuffle, Fletcher's checksum, LZF.
const FILTERS: [u16; 4] = [1, 2, 3, 32000];

/// An open file.
pub struct File {
    inner: hdf5_pure::File,
    name: String,
    limits: Limits,
    length: u64,
    counters: Arc<Counters>,
    /// Decoded bytes of what was read at once.
    loaded: Cell<u64>,
}

impl File {
    pub(super) fn new(name: &str, source: Guarded, limits: Limits) -> Result<Self, Hdf5Error> {
        let counters = source.counters();
        let inner = hdf5_pure::File::from_source(source)
            .map_err(|e| Hdf5Error::of_file(name, problem(e)))?;
        let length = inner.file_size();
        let end = inner.superblock().eof_address;
        if end != u64::MAX && end > length {
            let what = format!("cut short: {length} bytes of {end}");
            return Err(Hdf5Error::of_file(name, Problem::Format(what)));
        }
        Ok(Self {
            length,
            inner,
            name: name.to_owned(),
            limits,
            counters,
            loaded: Cell::new(0),
        })
    }

    /// Name of the file, for messages.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// An error about an object of this file.
    #[must_use]
    pub fn error(&self, object: &str, problem: Problem) -> Hdf5Error {
        Hdf5Error {
            file: self.name.clone(),
            object: object.to_owned(),
            problem,
        }
    }

    /// Names of the groups in a group, sorted.
    ///
    /// # Errors
    /// If there is no such group, or it has more links than allowed.
    pub fn groups(&self, path: &str) -> Result<Vec<String>, Hdf5Error> {
        let names = self.group(path)?.groups();
        self.listed(path, names)
    }

    /// Names of the datasets in a group, sorted.
    ///
    /// # Errors
    /// If there is no such group, or it has more links than allowed.
    pub fn datasets(&self, path: &str) -> Result<Vec<String>, Hdf5Error> {
        let names = self.group(path)?.datasets();
        self.listed(path, names)
    }

    /// Whether there is a group of this path.
    ///
    /// # Errors
    /// If the file is damaged.
    pub fn has_group(&self, path: &str) -> Result<bool, Hdf5Error> {
        match self.group(path) {
            Ok(_) => Ok(true),
            Err(e) if absent(&e.problem) => Ok(false),
            Err(e) => Err(e),
        }
    }

    fn group(&self, path: &str) -> Result<hdf5_pure::Group, Hdf5Error> {
        self.check_path(path)?;
        self.inner
            .group(path)
            .map_err(|e| self.error(path, problem(e)))
    }

    fn listed(
        &self,
        path: &str,
        names: Result<Vec<String>, hdf5_pure::Error>,
    ) -> Result<Vec<String>, Hdf5Error> {
        let mut names = names.map_err(|e| self.error(path, problem(e)))?;
        self.limit(path, "the number of links", names.len(), self.limits.links)?;
        names.sort_unstable();
        Ok(names)
    }

    /// The dataset of a path.
    ///
    /// # Errors
    /// If there is none, or it exceeds the limits.
    pub fn dataset(&self, path: &str) -> Result<Dataset<'_>, Hdf5Error> {
        self.check_path(path)?;
        let inner = self
            .inner
            .dataset(path)
            .map_err(|e| self.error(path, problem(e)))?;
        Dataset::new(self, path, inner)
    }

    /// The dataset of a path, if there is one.
    ///
    /// # Errors
    /// If the file is damaged, or it exceeds the limits.
    pub fn find(&self, path: &str) -> Result<Option<Dataset<'_>>, Hdf5Error> {
        match self.dataset(path) {
            Ok(dataset) => Ok(Some(dataset)),
            Err(e) if e.problem == Problem::Missing => Ok(None),
            Err(e) => Err(e),
        }
    }

    fn check_path(&self, path: &str) -> Result<(), Hdf5Error> {
        let depth = path.split('/').filter(|c| !c.is_empty()).count();
        self.limit(path, "the depth of the path", depth, self.limits.depth)
    }

    fn limit<N: TryInto<u64>>(
        &self,
        path: &str,
        what: &'static str,
        value: N,
        limit: N,
    ) -> Result<(), Hdf5Error> {
        let value = value.try_into().unwrap_or(u64::MAX);
        let limit = limit.try_into().unwrap_or(u64::MAX);
        if value <= limit {
            return Ok(());
        }
        Err(self.error(path, Problem::Limit { what, value, limit }))
    }

    /// Bytes that a file of this length can stand for.
    fn plausible(&self) -> u64 {
        self.length
            .saturating_mul(MAX_EXPANSION)
            .saturating_add(1 << 16)
    }
}

/// A dataset, its shape and size checked. Read by rows: the values of row r of a dataset of shape
/// `[n, m]` are m in a sequence.
pub struct Dataset<'f> {
    file: &'f File,
    path: String,
    inner: hdf5_pure::Dataset,
    kind: Kind,
    shape: Vec<u64>,
    element_bytes: u64,
    /// Chunks are too large to be decoded for every block: decoded once.
    whole: bool,
    kept: OnceCell<Kept>,
}

/// A dataset that was decoded as a whole.
enum Kept {
    Integers(Vec<u64>),
    Floats(Vec<f64>),
}

impl<'f> Dataset<'f> {
    fn new(file: &'f File, path: &str, inner: hdf5_pure::Dataset) -> Result<Self, Hdf5Error> {
        let fail = |e| file.error(path, problem(e));
        let datatype = inner.datatype().map_err(fail)?;
        let shape = inner.shape().map_err(fail)?;
        let mut dataset = Self {
            file,
            path: path.to_owned(),
            kind: Kind::of(&datatype),
            element_bytes: inner.element_size().map_err(fail)?,
            inner,
            shape,
            whole: false,
            kept: OnceCell::new(),
        };
        dataset.check_size()?;
        dataset.check_layout()?;
        Ok(dataset)
    }

    fn error(&self, problem: Problem) -> Hdf5Error {
        self.file.error(&self.path, problem)
    }

    fn limit(&self, what: &'static str, value: u64, limit: u64) -> Result<(), Hdf5Error> {
        self.file.limit(&self.path, what, value, limit)
    }

    fn check_size(&self) -> Result<(), Hdf5Error> {
        if self.shape.len() > 4 {
            return Err(self.shape_error("at most 4 dimensions"));
        }
        let bytes = bytes_of(&self.shape, self.element_bytes);
        let most = self.file.limits.dataset_bytes.min(self.file.plausible());
        self.limit("the size in bytes", bytes, most)?;
        // Text decodes to what its elements say, numbers to 8 bytes each.
        let decoded = bytes_of(&self.shape, 8);
        self.limit(
            "the decoded size in bytes",
            decoded,
            self.file.limits.dataset_bytes,
        )
    }

    fn check_layout(&mut self) -> Result<(), Hdf5Error> {
        let fail = |e| self.file.error(&self.path, problem(e));
        let layout = self.inner.layout().map_err(fail)?;
        let Layout::Chunked { chunk_shape, .. } = layout else {
            return match layout {
                Layout::Compact { .. } => Ok(()),
                Layout::Contiguous { size, .. } => {
                    self.limit("the stored size in bytes", size, self.file.length)
                }
                _ => Err(self.error(Problem::Refused("a virtual dataset".to_owned()))),
            };
        };
        if let Some(id) = self.inner.filters().iter().find(|id| !FILTERS.contains(id)) {
            let what = format!("filter {id}; deflate, shuffle, fletcher32 and lzf are");
            return Err(self.error(Problem::Refused(what)));
        }
        if chunk_shape.len() != self.shape.len() || chunk_shape.contains(&0) {
            let what = format!("chunks of shape {chunk_shape:?}");
            return Err(self.error(Problem::Format(what)));
        }
        let chunk_bytes = bytes_of(&chunk_shape, self.element_bytes);
        let most = self.file.limits.chunk_bytes.min(self.file.plausible());
        self.limit("the size of a chunk in bytes", chunk_bytes, most)?;
        let grid = self.shape.iter().zip(&chunk_shape);
        let n = grid.fold(1_u64, |n, (d, c)| n.saturating_mul(d.div_ceil(*c)));
        self.limit("the number of chunks", n, self.file.limits.chunks)?;
        self.check_chunks(n)?;
        self.whole = chunk_bytes > BLOCK_BYTES;
        Ok(())
    }

    /// Chunks lie in the file one beside the other, each in one place of the grid.
    fn check_chunks(&self, n: u64) -> Result<(), Hdf5Error> {
        let fail = |e| self.file.error(&self.path, problem(e));
        let mut chunks = self.inner.chunks().map_err(fail)?;
        self.limit("the number of stored chunks", chunks.len() as u64, n)?;
        let stored = chunks
            .iter()
            .fold(0_u64, |sum, c| sum.saturating_add(c.storage_size));
        self.limit("the stored size in bytes", stored, self.file.length)?;
        chunks.sort_unstable_by_key(|c| c.address);
        let overlap =
            |w: &[hdf5_pure::Chunk]| w[0].address.saturating_add(w[0].storage_size) > w[1].address;
        if chunks.windows(2).any(overlap) {
            let what = "chunks that overlap".to_owned();
            return Err(self.error(Problem::Format(what)));
        }
        Ok(())
    }

    /// Path in the file.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Number of values of a dataset of one dimension.
    ///
    /// # Errors
    /// If it has another number of dimensions.
    pub fn length(&self) -> Result<u64, Hdf5Error> {
        match self.shape.as_slice() {
            &[n] => Ok(n),
            _ => Err(self.shape_error("one dimension")),
        }
    }

    /// Checks the number of values of a dataset of one dimension.
    ///
    /// # Errors
    /// If it has another shape.
    pub fn expect_len(&self, n: u64) -> Result<(), Hdf5Error> {
        if self.shape == [n] {
            return Ok(());
        }
        Err(self.shape_error(&format!("[{n}]")))
    }

    fn shape_error(&self, expected: &str) -> Hdf5Error {
        self.error(Problem::Shape {
            found: self.shape.clone(),
            expected: expected.to_owned(),
        })
    }

    /// Whether the elements are text.
    #[must_use]
    pub fn is_text(&self) -> bool {
        matches!(self.kind, Kind::Text { .. })
    }

    /// Whether the elements are whole numbers or floats.
    #[must_use]
    pub fn is_number(&self) -> bool {
        matches!(self.kind, Kind::Signed | Kind::Unsigned | Kind::Float)
    }

    fn type_error(&self, expected: &'static str) -> Hdf5Error {
        let found = match self.inner.dtype() {
            Ok(dtype) => dtype.to_string().chars().take(80).collect(),
            Err(_) => "another type".to_owned(),
        };
        self.error(Problem::Type { found, expected })
    }

    /// Whole numbers ≥ 0 of any width in a range of a dataset of one dimension. Cost: that of the
    /// range.
    ///
    /// # Errors
    /// If the range or the type does not fit, or a number is negative.
    pub fn integers(&self, range: Range<u64>) -> Result<Vec<u64>, Hdf5Error> {
        if !matches!(self.kind, Kind::Signed | Kind::Unsigned) {
            return Err(self.type_error("whole numbers"));
        }
        self.check_range(&range)?;
        if !self.whole {
            return self.blocks(range, Self::integer_rows);
        }
        if self.kept.get().is_none() {
            self.count_loaded()?;
            let all = self.integer_rows(0, self.length()?)?;
            let _ = self.kept.set(Kept::Integers(all));
        }
        match self.kept.get() {
            Some(Kept::Integers(all)) => Ok(part(all, &range)),
            _ => self.blocks(range, Self::integer_rows),
        }
    }

    /// As [`Self::integers`], each at most the largest index of a neuron.
    ///
    /// # Errors
    /// As [`Self::integers`].
    pub fn indices(&self, range: Range<u64>) -> Result<Vec<u32>, Hdf5Error> {
        let start = range.start;
        let narrow = |(i, n): (u64, u64)| {
            u32::try_from(n).map_err(|_| self.value_error(i, &n.to_string(), "below 2^32"))
        };
        (start..).zip(self.integers(range)?).map(narrow).collect()
    }

    /// An error about an entry.
    #[must_use]
    pub fn value_error(&self, index: u64, value: &str, expected: &str) -> Hdf5Error {
        self.error(Problem::Value {
            index,
            value: value.to_owned(),
            expected: expected.to_owned(),
        })
    }

    /// Finite numbers in a range of a dataset of one dimension. Cost: that of the range.
    ///
    /// # Errors
    /// If the range or the type does not fit, or a number is not finite.
    pub fn floats(&self, range: Range<u64>) -> Result<Vec<f64>, Hdf5Error> {
        if !self.is_number() {
            return Err(self.type_error("numbers"));
        }
        self.check_range(&range)?;
        if !self.whole {
            return self.blocks(range, Self::float_rows);
        }
        if self.kept.get().is_none() {
            self.count_loaded()?;
            let all = self.float_rows(0, self.length()?)?;
            let _ = self.kept.set(Kept::Floats(all));
        }
        match self.kept.get() {
            Some(Kept::Floats(all)) => Ok(part(all, &range)),
            _ => self.blocks(range, Self::float_rows),
        }
    }

    /// Strings of a dataset of one dimension, without padding.
    ///
    /// # Errors
    /// If it holds something else, or is too large.
    pub fn strings(&self) -> Result<Vec<String>, Hdf5Error> {
        let Kind::Text { variable } = self.kind else {
            return Err(self.type_error("text"));
        };
        let n = self.length()?;
        self.count_loaded()?;
        let most = usize::try_from(self.file.length).unwrap_or(usize::MAX);
        let limits = VlenStringReadOptions::new()
            .with_max_elements(usize::try_from(n).unwrap_or(0))
            .with_max_payload_bytes(most);
        self.reading(|d| {
            if variable {
                d.read_vlen_strings(limits)
            } else {
                d.read_string()
            }
        })
    }

    /// A text attribute of this dataset, if it has one of that name.
    ///
    /// # Errors
    /// If it holds something else, or the attributes are damaged.
    pub fn text_attribute(&self, name: &str) -> Result<Option<String>, Hdf5Error> {
        let fail = |e| self.file.error(&self.path, problem(e));
        if !self
            .inner
            .attr_datatypes()
            .map_err(fail)?
            .contains_key(name)
        {
            return Ok(None);
        }
        let attributes = self.inner.attrs().map_err(fail)?;
        let value = attributes.get(name);
        let text = value.and_then(|v| {
            v.as_str()
                .map(str::to_owned)
                .or_else(|| v.as_strings().and_then(|s| s.first().cloned()))
        });
        // One that is there and cannot be read must not pass for one that is not.
        let text = text.ok_or_else(|| {
            let what = format!("the attribute `{name}`, which is no readable text");
            self.error(Problem::Format(what))
        })?;
        Ok(Some(text.trim_end_matches('\0').to_owned()))
    }

    fn check_range(&self, range: &Range<u64>) -> Result<(), Hdf5Error> {
        let n = self.length()?;
        if range.start <= range.end && range.end <= n {
            return Ok(());
        }
        Err(self.shape_error(&format!("at least {} values", range.end)))
    }

    fn count_loaded(&self) -> Result<(), Hdf5Error> {
        let bytes = bytes_of(&self.shape, self.element_bytes.max(24));
        let loaded = self.file.loaded.get().saturating_add(bytes);
        let limit = self.file.limits.loaded_bytes;
        self.limit("the size of what is read at once, in bytes,", loaded, limit)?;
        self.file.loaded.set(loaded);
        Ok(())
    }

    /// Reads a range in blocks, so that nothing stands beside the result but one of them.
    fn blocks<T>(
        &self,
        range: Range<u64>,
        rows: fn(&Self, u64, u64) -> Result<Vec<T>, Hdf5Error>,
    ) -> Result<Vec<T>, Hdf5Error> {
        let block = (BLOCK_BYTES / self.element_bytes.max(1)).max(1);
        let n = range.end - range.start;
        if n <= block {
            return rows(self, range.start, n);
        }
        let mut values = Vec::new();
        let mut start = range.start;
        while start < range.end {
            let n = block.min(range.end - start);
            let mut part = rows(self, start, n)?;
            if start == range.start {
                // Only once a part of it has been read.
                values
                    .try_reserve_exact(usize::try_from(range.end - start).unwrap_or(usize::MAX))
                    .map_err(|e| self.error(Problem::Io(e.to_string())))?;
            }
            values.append(&mut part);
            start += n;
        }
        Ok(values)
    }

    fn integer_rows(&self, start: u64, n: u64) -> Result<Vec<u64>, Hdf5Error> {
        if self.kind == Kind::Unsigned {
            let values = self.reading(|d| d.read_u64_rows(start, n))?;
            return self.complete(values, n);
        }
        let signed = self.reading(|d| d.read_i64_rows(start, n))?;
        let signed = self.complete(signed, n)?;
        let sign = |(i, x): (u64, i64)| {
            u64::try_from(x).map_err(|_| self.value_error(i, &x.to_string(), "0 or above"))
        };
        (start..).zip(signed).map(sign).collect()
    }

    fn float_rows(&self, start: u64, n: u64) -> Result<Vec<f64>, Hdf5Error> {
        let values = self.reading(|d| d.read_f64_rows(start, n))?;
        if let Some((i, x)) = (start..).zip(&values).find(|(_, x)| !x.is_finite()) {
            return Err(self.value_error(i, &x.to_string(), "a finite number"));
        }
        self.complete(values, n)
    }

    fn complete<T>(&self, values: Vec<T>, n: u64) -> Result<Vec<T>, Hdf5Error> {
        if values.len() as u64 == n {
            return Ok(values);
        }
        let what = format!("{} values where {n} were asked for", values.len());
        Err(self.error(Problem::Format(what)))
    }

    fn reading<T>(
        &self,
        job: impl FnOnce(&hdf5_pure::Dataset) -> Result<T, hdf5_pure::Error>,
    ) -> Result<T, Hdf5Error> {
        let flag = &self.file.counters.reading_data;
        flag.store(true, Ordering::Relaxed);
        let result = job(&self.inner);
        flag.store(false, Ordering::Relaxed);
        result.map_err(|e| self.file.error(&self.path, problem(e)))
    }
}

/// Bytes of an array; the largest number where there are more.
fn bytes_of(shape: &[u64], element_bytes: u64) -> u64 {
    shape
        .iter()
        .fold(element_bytes, |n, d| n.saturating_mul(*d))
}

fn part<T: Copy>(all: &[T], range: &Range<u64>) -> Vec<T> {
    let index = |i: u64| usize::try_from(i).unwrap_or(usize::MAX).min(all.len());
    all[index(range.start)..index(range.end)].to_vec()
}
