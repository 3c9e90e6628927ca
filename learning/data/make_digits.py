"""Writes the optical digits of UCI, as scikit-learn ships them, as two packed IDX files.

    pip install scikit-learn
    python3 make_digits.py

README.md says where the data come from and with which version they were written.
"""

import gzip
import pathlib
import struct

import numpy
from sklearn.datasets import load_digits

HERE = pathlib.Path(__file__).parent


def write(name, array):
    """A file of unsigned bytes, the same in every run: no time, no name in its gzip header."""
    header = struct.pack(">HBB", 0, 8, array.ndim)
    header += struct.pack(f">{array.ndim}I", *array.shape)
    packed = gzip.compress(header + array.tobytes(), compresslevel=9, mtime=0)
    (HERE / name).write_bytes(packed)


def main():
    digits = load_digits()
    images, labels = digits.images, digits.target
    assert images.shape == (1797, 8, 8) and labels.shape == (1797,)
    assert (images == numpy.round(images)).all() and images.min() == 0 and images.max() == 16
    write("digits-images-idx3-ubyte.gz", images.astype("u1"))
    write("digits-labels-idx1-ubyte.gz", labels.astype("u1"))
    # What the test in src/data/digits.rs expects.
    print("sum of all pixels", int(images.sum()), "of the first", int(images[0].sum()))
    print("labels of each class", numpy.bincount(labels).tolist())
    print("in the first 1437", numpy.bincount(labels[:1437]).tolist())
    print("weighted", int((images.reshape(-1).astype("i8") * (numpy.arange(images.size) % 997)).sum()))


if __name__ == "__main__":
    main()
