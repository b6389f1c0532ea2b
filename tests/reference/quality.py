"""Accuracies of scikit-learn's classifiers for tests/train/quality.rs: means over ten stratified 70/30 splits.

    pip install scikit-learn
    python tests/reference/quality.py > tests/reference/quality.tsv
"""

import warnings

from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

warnings.simplefilter("ignore", ConvergenceWarning)
SEEDS = range(10)

print("set\tlogistic regression\tsupport vectors\t64-32 ReLU")
for name, load in [("iris", load_iris), ("wine", load_wine), ("breast cancer", load_breast_cancer)]:
    x, y = load(return_X_y=True)
    sums = [0.0] * 3
    for seed in SEEDS:
        train, test, train_y, test_y = train_test_split(x, y, test_size=0.3, random_state=seed, stratify=y)
        models = [LogisticRegression(max_iter=2000), SVC(), MLPClassifier((64, 32), alpha=1.0, random_state=seed, max_iter=300)]
        for index, model in enumerate(models):
            sums[index] += make_pipeline(StandardScaler(), model).fit(train, train_y).score(test, test_y)
    print(name, *(f"{total / len(SEEDS):.4f}" for total in sums), sep="\t")
