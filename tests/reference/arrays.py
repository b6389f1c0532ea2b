"""Writes arrays.tsv: small files as NumPy writes them, in hexadecimal.

    pip install numpy==2.4.6 && python3 arrays.py

A line is: format, shape, numbers, file. The numbers are those of the array in C order, whatever its order in the file.
"""

import io
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
for kind, save in [("npz", np.savez), ("packed", np.savez_compressed)]:
    file = io.BytesIO()
    save(file, x=x, y=y)
    write(kind, x, file.getvalue())
Path(__file__).with_name("arrays.tsv").write_text("\n".join(["format\tshape\tnumbers\tfile", *lines]) + "\n")
