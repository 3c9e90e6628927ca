//! Data sets from files.

use super::{DataError, Dataset, Split, Values};
use rheobase_equations::real::Real;
use rheobase_formats::array::{self, Array, Limits};
use rheobase_formats::{idx, npz as archives};
use std::path::{Path, PathBuf};

/// Where Debian's package `dataset-fashion-mnist` puts its files.
pub const FASHION_MNIST_FOLDER: &str = "/usr/share/datasets/fashion-mnist";

/// The files of a folder: samples and labels to learn from, then those to judge by.
const FILES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

/// Fashion-MNIST from Debian's package `dataset-fashion-mnist`: 60,000 and 10,000 pictures of 28 × 28,
/// values 0 to 1, ten classes. 55 MB in memory.
///
/// Source: H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine
/// Learning Algorithms", 2017, arXiv:1708.07747 (MIT licence).
///
/// # Errors
/// If the package is not installed (the error says how), and those of [`idx_folder`].
///
/// # Example
/// ```no_run
/// let split = rheobase_learning::data::fashion_mnist::<f32>()?;
/// assert_eq!((split.train.len(), split.test.len()), (60_000, 10_000));
/// # Ok::<(), rheobase_learning::data::DataError>(())
/// ```
pub fn fashion_mnist<R: Real>() -> Result<Split<R>, DataError> {
    idx_folder(Path::new(FASHION_MNIST_FOLDER))
}

/// Samples and labels from a folder of the four IDX files of MNIST and its relatives,
/// `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte` and
/// `t10k-labels-idx1-ubyte`, each plain or as `.gz`, `.idx` for `-idx` too. Bytes become 0 to 1
/// (divided by 255). There are as many classes as the largest label to learn from tells. O(values).
///
/// # Errors
/// If a file is missing (the error says what gives them), cannot be read or is damaged; if shapes or
/// numbers do not fit; if a label to judge by is no class.
pub fn idx_folder<R: Real>(folder: &Path) -> Result<Split<R>, DataError> {
    // All are looked for before one is read.
    let mut paths = Vec::with_capacity(FILES.len());
    for file in FILES {
        paths.push(find(folder, file)?);
    }
    let mut arrays = Vec::with_capacity(FILES.len());
    for path in &paths {
        let array = idx::read(path, &Limits::default())?;
        arrays.push((path.display().to_string(), "array".to_owned(), array));
    }
    split(&folder.display().to_string(), arrays)
}

fn find(folder: &Path, file: &'static str) -> Result<PathBuf, DataError> {
    let dotted = file.replace("-idx", ".idx");
    let names = [
        file.to_owned(),
        format!("{file}.gz"),
        dotted.clone(),
        format!("{dotted}.gz"),
    ];
    let path = names
        .iter()
        .map(|name| folder.join(name))
        .find(|p| p.is_file());
    path.ok_or_else(|| DataError::Missing {
        folder: folder.to_owned(),
        file,
    })
}

/// Samples and labels from an archive of NumPy with the arrays `x_train` `[N, …]`, `y_train` `[N]`,
/// `x_test`, `y_test`. Bytes become 0 to 1 (divided by 255), other numbers stay as they are; labels are
/// integers from 0. There are as many classes as the largest label to learn from tells. O(values).
///
/// # Errors
/// If the archive cannot be read, one of the arrays is missing or of another type, shapes or numbers do
/// not fit, a value is not finite, or a label is no class.
pub fn npz<R: Real>(path: &Path) -> Result<Split<R>, DataError> {
    let mut archive = archives::Archive::open(path, Limits::default())?;
    let file = path.display().to_string();
    let mut arrays = Vec::new();
    for name in ["x_train", "y_train", "x_test", "y_test"] {
        arrays.push((file.clone(), name.to_owned(), archive.array(name)?));
    }
    split(&file, arrays)
}

/// A file, an array in it, and what it holds.
type Found = (String, String, Array);

/// Two data sets of one kind from samples, labels, samples, labels.
fn split<R: Real>(name: &str, arrays: Vec<Found>) -> Result<Split<R>, DataError> {
    let mut arrays = arrays.into_iter();
    let mut pair = || {
        let missing = || DataError::Empty {
            name: name.to_owned(),
            shape: Vec::new(),
        };
        let (file, array, x) = arrays.next().ok_or_else(missing)?;
        let (shape, values) = samples(&file, &array, x, u8::MAX)?;
        let (label_file, label_array, y) = arrays.next().ok_or_else(missing)?;
        let labels = classes(&label_file, &label_array, y)?;
        Ok::<_, DataError>((file, array, shape, values, labels))
    };
    let (_, _, shape, values, labels) = pair()?;
    let (file, array, test_shape, test_values, test_labels) = pair()?;
    if test_shape != shape {
        let problem = format!("has samples of shape {test_shape:?}, those to learn from {shape:?}");
        return Err(wrong(&file, &array, problem));
    }
    let classes = labels
        .iter()
        .max()
        .map_or(0, |&label| label.saturating_add(1));
    let (train, test) = (format!("{name} (train)"), format!("{name} (test)"));
    Ok(Split {
        train: Dataset::new(&train, &shape, values, labels, classes)?,
        test: Dataset::new(&test, &shape, test_values, test_labels, classes)?,
    })
}

fn wrong(file: &str, array: &str, problem: String) -> DataError {
    DataError::Array {
        file: file.to_owned(),
        array: array.to_owned(),
        problem,
    }
}

/// Shape of a sample and all values, of an array `[samples, …]`.
pub(super) fn samples<R: Real>(
    file: &str,
    name: &str,
    array: Array,
    full_scale: u8,
) -> Result<(Vec<usize>, Values<R>), DataError> {
    let numbers = |values: Vec<f64>| Values::Numbers(values.into_iter().map(R::from_f64).collect());
    let values = match array.values {
        array::Values::U8(bytes) => Values::Bytes { bytes, full_scale },
        array::Values::Bool(truths) => Values::Bytes {
            bytes: truths.into_iter().map(u8::from).collect(),
            full_scale: 1,
        },
        array::Values::I8(v) => numbers(v.into_iter().map(f64::from).collect()),
        array::Values::I16(v) => numbers(v.into_iter().map(f64::from).collect()),
        array::Values::I32(v) => numbers(v.into_iter().map(f64::from).collect()),
        array::Values::F32(v) => {
            Values::Numbers(v.into_iter().map(|x| R::from_f64(f64::from(x))).collect())
        }
        array::Values::F64(v) => numbers(v),
        other => {
            let problem = format!("holds {}: save samples as u1, f4 or f8", other.type_name());
            return Err(wrong(file, name, problem));
        }
    };
    match array.shape.split_first() {
        Some((_, [])) => Ok((vec![1], values)),
        Some((_, shape)) => Ok((shape.to_vec(), values)),
        None => Err(wrong(
            file,
            name,
            "is a single value: expected [samples, …]".to_owned(),
        )),
    }
}

/// The labels of an array `[samples]`.
pub(super) fn classes(file: &str, name: &str, array: Array) -> Result<Vec<usize>, DataError> {
    if !matches!(array.shape[..], [_] | [_, 1]) {
        let shape = array.shape;
        let problem = format!("has shape {shape:?}: labels are the numbers of classes, [samples]");
        return Err(wrong(file, name, problem));
    }
    let labels: Vec<i64> = match array.values {
        array::Values::U8(v) => v.into_iter().map(i64::from).collect(),
        array::Values::Bool(v) => v.into_iter().map(i64::from).collect(),
        array::Values::I8(v) => v.into_iter().map(i64::from).collect(),
        array::Values::I16(v) => v.into_iter().map(i64::from).collect(),
        array::Values::I32(v) => v.into_iter().map(i64::from).collect(),
        array::Values::I64(v) => v,
        other => {
            let problem = format!("holds {}: labels are integers", other.type_name());
            return Err(wrong(file, name, problem));
        }
    };
    let mut classes = Vec::with_capacity(labels.len());
    for (sample, label) in labels.into_iter().enumerate() {
        // So many classes are a mistake, and would make tables over classes overflow.
        let class = usize::try_from(label)
            .ok()
            .filter(|&class| class < MAX_CLASSES);
        classes.push(class.ok_or_else(|| DataError::Label {
            name: format!("{file}, {name}"),
            sample,
            label,
            classes: MAX_CLASSES,
        })?);
    }
    Ok(classes)
}

/// Classes a file may have.
const MAX_CLASSES: usize = 1 << 20;

#[cfg(test)]
mod tests;
