"""Writes tables.tsv: tables as scikit-learn encodes them.

    pip install numpy==2.4.6 scikit-learn==1.9.1 && python3 tables.py

A line is: case, name of an output, and its values for the rows 3, 7, 11, … of a table, all others being those that are learned from.
The tables are cars.csv and penguins.csv of examples/data, with more holes: `punched` says where.
"""

import csv
import math
import warnings
from pathlib import Path

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler, MinMaxScaler, OneHotEncoder, OrdinalEncoder, StandardScaler

warnings.simplefilter("error")
folder = Path(__file__).resolve().parent
lines = []


def read(name, words):
    with open(folder.parent.parent / "examples" / "data" / name) as file:
        rows = list(csv.DictReader(file))
    hole = lambda text: text in ("", "NA")
    columns = {}
    for number, column in enumerate(rows[0]):
        punched = [(7 * row + 3 * number) % 13 == 0 and column not in ("mpg", "species", "year") for row in range(len(rows))]
        texts = [None if hole(row[column]) or gone else row[column] for row, gone in zip(rows, punched)]
        if column in words:
            columns[column] = np.array(texts, dtype=object)
        else:
            columns[column] = np.array([math.nan if text is None else float(text) for text in texts])
    return columns


def parts(columns, names):
    x = np.array([columns[name] for name in names], dtype=object if columns[names[0]].dtype == object else float).T
    judged = np.arange(len(x)) % 4 == 3
    return x[~judged], x[judged]


def write(case, names, values):
    values = np.asarray(values, float)
    assert values.shape[1] == len(names), (case, names, values.shape)
    for name, column in zip(names, values.T):
        text = " ".join(repr(int(v)) if v == int(v) else repr(float(v)) for v in column)
        lines.append(f"{case}\t{name}\t{text}")


def imputed(names, train):
    return names + [f"{name} (missing)" for name, column in zip(names, train.T) if np.isnan(column).any()]


def hot(encoder, names):
    made = []
    for name, categories, rare in zip(names, encoder.categories_, encoder.infrequent_categories_ if encoder.min_frequency else [None] * len(names)):
        rare = [] if rare is None else list(rare)
        made += [f"{name} (missing)" if c is None else f"{name}={c}" for c in categories if c not in rare]
        made += [f"{name} (rare)"] if rare else []
    return made


cars = read("cars.csv", ["name", "origin"])
penguins = read("penguins.csv", ["species", "island", "sex"])
car_numbers = ["cylinders", "displacement", "horsepower", "weight", "acceleration", "year"]
penguin_numbers = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g", "year"]

# Holes and scalers.
scalers = {"none": None, "standard": StandardScaler(), "min_max": MinMaxScaler(), "max_abs": MaxAbsScaler()}
for table, columns, names in [("cars", cars, car_numbers), ("penguins", penguins, penguin_numbers)]:
    train, judged = parts(columns, names)
    for strategy in ["mean", "median", "constant"]:
        for scaling, scaler in scalers.items():
            fill = SimpleImputer(strategy=strategy, fill_value=-1.5 if strategy == "constant" else None)
            y = make_pipeline(fill, scaler).fit(train).transform(judged)
            marks = SimpleImputer(strategy=strategy, fill_value=0.0, add_indicator=True).fit(train).transform(judged)[:, len(names) :]
            write(f"{table} {strategy} {scaling}", imputed(names, train), np.hstack([y, marks]))

# Categories: a hole is None to scikit-learn, a category of its own.
for table, columns, name in [("cars", cars, "origin"), ("cars", cars, "name"), ("penguins", penguins, "island"), ("penguins", penguins, "sex")]:
    train, judged = parts(columns, [name])
    for rare in [None, 3, 60]:
        for unknown in ["ignore", "infrequent_if_exist"]:
            # Only without holes are rare categories those of scikit-learn, which counts None among them.
            known, some = (train, judged) if rare is None else (train[train != None][:, None], judged)
            encoder = OneHotEncoder(min_frequency=rare, handle_unknown=unknown, sparse_output=False).fit(known)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of unknown categories
                y = encoder.transform(some)
            y[(some == None)[:, 0], : len(encoder.categories_[0]) if rare is None else None] *= rare is None
            names = hot(encoder, [name])
            if rare is None and len(names) > 200:
                continue
            write(f"{table} {name} {rare} {unknown}", names, y)

# Categories by index, where holes are NaN.
for table, columns, name in [("cars", cars, "origin"), ("cars", cars, "name"), ("penguins", penguins, "sex")]:
    train, judged = (np.where(part == None, math.nan, part) for part in parts(columns, [name]))
    for rare in [None, 3]:
        encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=math.nan, encoded_missing_value=math.nan, min_frequency=rare)
        if rare is not None:
            # NaN would be among the rare categories.
            train, judged = (part[part == part][:, None] for part in (train, judged))
        for strategy in ["mean", "constant"]:
            fill = SimpleImputer(strategy=strategy, fill_value=-1.0 if strategy == "constant" else None)
            for scaling in ["none", "standard"]:
                y = make_pipeline(encoder, fill, scalers[scaling]).fit(train).transform(judged)
                write(f"{table} index {name} {rare} {strategy} {scaling}", [name], y)

# All together.
for table, columns, numbers, words, rare in [
    ("cars", cars, car_numbers, ["origin"], "name"),
    ("penguins", penguins, penguin_numbers, ["island", "sex"], None),
]:
    names = [*numbers, *words, *([rare] if rare else [])]
    x = np.array([columns[name] for name in names], dtype=object).T
    judged = np.arange(len(x)) % 4 == 3
    number = lambda name: names.index(name)
    full = lambda x: np.where(x == None, "", x)
    several = [
        ("numbers", make_pipeline(FunctionTransformer(lambda x: x.astype(float)), SimpleImputer(strategy="median", add_indicator=True)), list(map(number, numbers))),
        ("scaled", make_pipeline(FunctionTransformer(lambda x: x.astype(float)), SimpleImputer(strategy="median"), StandardScaler()), list(map(number, numbers))),
        ("words", OneHotEncoder(handle_unknown="ignore", sparse_output=False), list(map(number, words))),
    ]
    if rare:
        several.append(("rare", OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=4, sparse_output=False), [number(rare)]))
        # A car whose name was punched out has none, and is not learned from.
        judged = judged[x[:, number(rare)] != None]
        x = x[x[:, number(rare)] != None]
    encoder = ColumnTransformer(several).fit(x[~judged])
    y = encoder.transform(x[judged])
    marks = imputed(numbers, x[~judged][:, : len(numbers)].astype(float))
    made = ["" for _ in numbers] + marks[len(numbers) :] + numbers + hot(encoder.named_transformers_["words"], words)
    if rare:
        made += hot(encoder.named_transformers_["rare"], [rare])
    keep = [index for index, name in enumerate(made) if name]
    write(f"{table} all", [made[index] for index in keep], y[:, keep])

(folder / "tables.tsv").write_text("\n".join(lines) + "\n")
