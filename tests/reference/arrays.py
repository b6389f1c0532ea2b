"""Writes arrays.tsv: small files as NumPy writes them, in hexadecimal.

    pip install numpy==2.4.6 && python3 arrays.py

A line is: format, shape, numbers, file. The numbers are those of the array in C order, whatever its order in the file;
of "rounded", those of the array as float32.
"""

import gzip
import io
import zipfile
from pathlib import Path

import numpy as np

rng = np.random.default_rng(3)
lines = []


def write(kind, array, data):
    numbers = " ".join(repr(float(x)) for x in np.ravel(array, order="C"))
    lines.append("\t".join([kind, " ".join(map(str, array.shape)), numbers, data.hex()]))


def npy(array, **version):
    file = io.BytesIO()
    np.lib.format.write_array(file, array, **version)
    return file.getvalue()


for dtype in ["<f4", ">f4", "<f8", ">f8", "|b1"] + [f"{order}{kind}{size}" for kind in "iu" for size in [1, 2, 4, 8] for order in "<>"]:
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        array = rng.normal(size=(3, 2)).astype(dtype)
    elif dtype.kind == "b":
        array = rng.random((3, 2)) < 0.5
    else:
        limits = np.iinfo(dtype)
        ends = [limits.min, limits.max] if dtype.itemsize < 8 else [-(2**53) if dtype.kind == "i" else 0, 2**53]
        array = np.array([*ends, 0, 1, 2, 100]).astype(dtype).reshape(3, 2)
    for order in "CF":
        write("npy", array, npy(np.asarray(array, order=order)))
for shape in [(), (1,), (4,), (1, 3), (3, 1), (2, 3, 4), (3, 1, 2, 2), (0,), (0, 3), (3, 0), (2, 0, 3)]:
    array = np.arange(np.prod(shape, dtype=int), dtype=np.float64).reshape(shape)
    for order in "CF":
        write("npy", array, npy(np.asarray(array, order=order)))
special = np.array([[np.inf, -np.inf], [-0.0, 5e-324]])
write("npy", special, npy(special))
for version in [(2, 0), (3, 0)]:
    write("npy", array := np.arange(6.0).reshape(2, 3), npy(array, version=version))

x, y = np.arange(6, dtype=np.float32).reshape(3, 2), np.array([1, 0, 2])
for limit in [zipfile.ZIP64_LIMIT, 0]:
    # With a limit of 0 the archives are written as those of more than 4 GiB are.
    zipfile.ZIP64_LIMIT = limit
    for kind, save in [("npz", np.savez), ("packed", np.savez_compressed)]:
        file = io.BytesIO()
        save(file, x=x, y=y)
        write(kind, x, file.getvalue())

halves = [0x0000, 0x8000, 0x0001, 0x83FF, 0x0400, 0x3555, 0xFBFF, 0x3C01, 0x7C00, 0xFC00]
for dtype in ["<f2", ">f2"]:
    array = np.array(halves, np.uint16).view("<f2").astype(dtype).reshape(5, 2)
    write("npy", array, npy(array))
for dtype in ["<u8", ">u8", "<i8", ">i8"]:
    numbers = [0x7FFFFF4000000001, 0x7FFFFF4000000000, 0x7FFFFF3FFFFFFFFF, 2**63 - 1, 2**53 + 1, 2**24 + 1, 2**60 + 2**36 + 1]
    array = np.array(numbers, np.int64)
    array = np.concatenate([array, -array]).astype(dtype)  # those of u8 wrap around
    write("rounded", array.astype(np.float32), npy(array))
zeros = np.zeros((60, 20))
zeros[7, 3] = 1
file = io.BytesIO()
np.savez_compressed(file, x=zeros)
write("packed", zeros, file.getvalue())
for name in ["", "x.npy"]:
    file = io.BytesIO()
    with gzip.GzipFile(name, "wb", fileobj=file, mtime=0) as packed:
        packed.write(npy(x))
    write("gzip", x, file.getvalue())
Path(__file__).with_name("arrays.tsv").write_text("\n".join(["format\tshape\tnumbers\tfile", *lines]) + "\n")
