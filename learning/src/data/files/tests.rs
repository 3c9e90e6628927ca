//! Folders and archives, whole, incomplete and wrong.

use super::*;
use std::fs;

/// An IDX file of bytes.
fn bytes(shape: &[u32], values: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, 8, u8::try_from(shape.len()).unwrap()];
    shape.iter().for_each(|n| file.extend(n.to_be_bytes()));
    file.extend(values);
    file
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, file: Vec<u8>| fs::write(folder.path().join(name), file).unwrap();
    write(FILES[0], bytes(&[2, 1, 2], &[0, 255, 51, 102]));
    write(FILES[1], bytes(&[2], &[1, 2]));
    write(
        &FILES[2].replace("-idx", ".idx"),
        bytes(&[1, 1, 2], &[5, 6]),
    );
    write(FILES[3], bytes(&[1], &[0]));
    folder
}

#[test]
fn a_folder_becomes_two_data_sets() {
    let folder = folder();
    let split = idx_folder::<f32>(folder.path()).unwrap();
    assert_eq!((split.train.len(), split.test.len()), (2, 1));
    assert_eq!(
        (split.train.shape(), split.train.classes()),
        (&[1, 2][..], 3)
    );
    assert_eq!(split.test.classes(), 3);
    let mut row = [0.0; 2];
    split.train.sample(1, &mut row).unwrap();
    assert_eq!((row, split.train.labels()), ([0.2, 0.4], &[1, 2][..]));
}

#[test]
fn what_is_missing_is_named_with_where_to_get_it() {
    let folder = folder();
    fs::remove_file(folder.path().join(FILES[3])).unwrap();
    let error = idx_folder::<f32>(folder.path()).unwrap_err().to_string();
    for part in [
        "t10k-labels-idx1-ubyte",
        "dataset-fashion-mnist",
        "https://",
    ] {
        assert!(error.contains(part), "{error}");
    }
    assert!(matches!(
        idx_folder::<f32>(Path::new("no such folder")),
        Err(DataError::Missing { .. })
    ));
}

#[test]
fn files_that_do_not_fit_are_named() {
    let fail = |file: usize, content: Vec<u8>| {
        let folder = folder();
        let path = folder.path().join(FILES[file]);
        // The plain name comes first.
        fs::write(path, content).unwrap();
        idx_folder::<f32>(folder.path()).unwrap_err().to_string()
    };
    assert!(fail(0, bytes(&[3, 1, 2], &[0; 6])).contains("6 values, but 2 labels"));
    assert!(fail(0, bytes(&[2, 1, 2], &[0; 3])).contains("shape [2, 1, 2] takes 4 bytes"));
    assert!(fail(1, bytes(&[2, 3], &[0; 6])).contains("has shape [2, 3]: labels are"));
    assert!(fail(1, bytes(&[0], &[])).contains("no samples"));
    let shape = "has samples of shape [2, 1], those to learn from [1, 2]";
    assert!(fail(2, bytes(&[1, 2, 1], &[0; 2])).contains(shape));
    assert!(fail(3, bytes(&[1], &[3])).contains("label 3 of sample 0 is outside 0 .. 3"));
}

fn fixture(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    folder.join(name)
}

#[test]
fn archives_of_numpy_become_two_data_sets() {
    let split = npz::<f64>(&fixture("data.npz")).unwrap();
    assert_eq!((split.train.len(), split.test.len()), (4, 2));
    assert_eq!(
        (split.train.shape(), split.train.classes()),
        (&[2, 3][..], 3)
    );
    assert_eq!(split.train.labels(), [0, 2, 1, 0]);
    let mut row = [0.0; 6];
    split.test.sample(1, &mut row).unwrap();
    assert_eq!(row, [-3.0, -3.5, -4.0, -4.5, -5.0, -5.5]);
    let error = npz::<f32>(&fixture("nan.npz")).unwrap_err().to_string();
    assert!(error.contains("element 1 of sample 2 is NaN"), "{error}");
    let error = npz::<f32>(&fixture("one_hot.npz")).unwrap_err().to_string();
    assert!(
        error.contains("y_train has shape [2, 2]: labels are"),
        "{error}"
    );
    let error = npz::<f32>(&fixture("negative.npz"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("label -1 of sample 1"), "{error}");
    let error = npz::<f32>(&fixture("other.npz")).unwrap_err().to_string();
    assert!(
        error.contains("array x_train: is not there; the archive holds x, y"),
        "{error}"
    );
}

#[test]
fn types_of_samples_and_labels() {
    let array = |values| Array {
        shape: vec![2],
        values,
    };
    let of = |values| samples::<f32>("f", "x", array(values), 255).map(|(_, values)| values);
    let numbers = |a, b| Ok(Values::Numbers(vec![a, b]));
    assert_eq!(of(array::Values::I32(vec![-7, 9])), numbers(-7.0, 9.0));
    assert_eq!(of(array::Values::F64(vec![0.1, 9.0])), numbers(0.1, 9.0));
    let truths = of(array::Values::Bool(vec![true, false]));
    let expected = Values::Bytes {
        bytes: vec![1, 0],
        full_scale: 1,
    };
    assert_eq!(truths, Ok(expected));
    let long = of(array::Values::I64(vec![1, 2])).unwrap_err();
    assert_eq!(
        long.to_string(),
        "f: x holds i64: save samples as u1, f4 or f8"
    );
    assert!(classes("f", "y", array(array::Values::F32(vec![0.0, 1.0]))).is_err());
    assert!(classes("f", "y", array(array::Values::I64(vec![0, 1 << 40]))).is_err());
    assert_eq!(
        classes("f", "y", array(array::Values::Bool(vec![false, true]))),
        Ok(vec![0, 1])
    );
    let single = Array {
        shape: vec![],
        values: array::Values::F32(vec![1.0]),
    };
    assert!(samples::<f32>("f", "x", single, 255).is_err());
}

/// Runs where the package is installed, or where `RHEOBASE_FASHION_MNIST` names a folder.
#[test]
fn fashion_mnist_where_it_is_there() {
    let folder = std::env::var_os("RHEOBASE_FASHION_MNIST");
    let folder = folder.map_or(PathBuf::from(FASHION_MNIST_FOLDER), PathBuf::from);
    let begun = std::time::Instant::now();
    let split = match idx_folder::<f32>(&folder) {
        Ok(split) => split,
        Err(DataError::Missing { .. }) => {
            println!(
                "skipped 1 test: Fashion-MNIST is not in {}",
                folder.display()
            );
            return;
        }
        Err(error) => panic!("{error}"),
    };
    println!("read in {:?}", begun.elapsed());
    assert_eq!(split.train.shape(), [28, 28]);
    assert_eq!(split.train.per_class(), [6000; 10]);
    assert_eq!(split.test.per_class(), [1000; 10]);
}
