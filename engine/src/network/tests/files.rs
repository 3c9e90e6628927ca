//! Descriptions in files, and components in files beside them.

use std::fs;
use std::path::PathBuf;

use super::fakes::registry;
use crate::network::{ErrorKind, Network};

/// A folder of its own for each test, removed at the end.
pub(super) struct Folder(pub(super) PathBuf);

impl Folder {
    pub(super) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("rheobase-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(super) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder that cannot be removed is no failure of what is tested.
        let _ = fs::remove_dir_all(&self.0);
    }
}

const LEAK: &str = "neuron leak\n  dv/dt = -v/(10 ms) : mV\n  spike when v >= 1 mV, reset v = 0";

const NETWORK: &str = "[models]\nleak = { file = \"models/leak.rheo\" }\n\
                       [populations.L]\nmodel = \"leak\"\nsize = 3\n";

#[test]
fn components_are_found_beside_the_network() {
    let folder = Folder::new("beside");
    folder.write("models/leak.rheo", LEAK);
    let toml = folder.write("net.toml", NETWORK);
    let mut network = Network::from_path(&toml).unwrap();
    assert!(network.resolve(&registry()).is_ok());
    network.set("populations.L.size", "4").unwrap();
    assert!(network.resolve(&registry()).is_ok(), "the folder is kept");
    let json = folder.write("net.json", &network.to_json().unwrap());
    assert_eq!(Network::from_path(&json).unwrap(), network);
}

#[test]
fn errors_name_the_file() {
    let folder = Folder::new("named");
    let text = LEAK.replace("10 ms", "10 mss");
    let file = folder.write("models/leak.rheo", &text);
    let network = Network::from_path(&folder.write("net.toml", NETWORK)).unwrap();
    let errors = network.resolve(&registry()).map(drop).unwrap_err();
    assert_eq!(errors.as_slice()[0].kind, ErrorKind::Model);
    let shown = errors.to_string();
    assert!(
        shown.contains(&format!("{}:2:18", file.display())),
        "{shown}"
    );
    assert!(
        shown.starts_with("models.leak: this text cannot be read\nerror: unknown unit `mss`"),
        "{shown}"
    );
}

#[test]
fn files_that_cannot_be_read() {
    let folder = Folder::new("unreadable");
    let missing = folder.0.join("missing.toml");
    let error = Network::from_path(&missing).unwrap_err();
    assert_eq!(error.as_slice()[0].kind, ErrorKind::File);
    assert!(
        error
            .to_string()
            .starts_with(&format!("cannot read {}: ", missing.display()))
    );
    let error = Network::from_path(&folder.0).unwrap_err().to_string();
    assert!(error.ends_with("it is a folder"), "{error}");
    let binary = folder.0.join("binary.toml");
    fs::write(&binary, [0xff, 0xfe, 0x00]).unwrap();
    let error = Network::from_path(&binary).unwrap_err().to_string();
    assert!(error.contains("cannot read"), "{error}");
    folder.write("models/leak.rheo", &" ".repeat((1 << 20) + 1));
    let network = Network::from_path(&folder.write("net.toml", NETWORK)).unwrap();
    let error = network.resolve(&registry()).map(drop).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("it is longer than 1048576 bytes"),
        "{error}"
    );
}
