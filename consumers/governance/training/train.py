"""Trains the risk model on extracted features and writes it, with its card and what the cross-validation needs: a model
for each source that was left out, and what each sample got when its family was.

usage: train.py FEATURES OUT_DIR LEFT_OUT_DIR DATA...
"""

import hashlib
import json
import pathlib
import sys

import numpy as np
from skl2onnx import to_onnx
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score

# A version that was released is never trained again under its number.
VERSION = "3.0.0"
# The threshold of the publishing policy in force: what the card says was measured is said of that.
POLICIES = pathlib.Path(__file__).parents[3] / "schemas" / "policy" / "versions"
REVIEW = json.loads(max(POLICIES.glob("*.json"), key=lambda file: int(file.stem)).read_text())["risk"]["review_from"]
# The samples are half risky, submissions are not. Four to one keeps an ordinary package well below the threshold. Rows of
# real packages weigh one each: most of them are harmless as they are.
BENIGN_WEIGHT = 4.0
# Of 0.3, 1, 2, 4 and 10 the value with the lowest log loss when each family of samples is left out in turn.
REGULARISATION = 1.0


def read(path):
    lines = pathlib.Path(path).read_text().splitlines()
    names = json.loads(lines[0])["features"]
    rows = [json.loads(line) for line in lines[1:]]
    x = np.array([row["features"] for row in rows], dtype=np.float32)
    y = np.array([int(row["risky"]) for row in rows])
    made = np.array([row["made"] for row in rows])
    return names, x, y, made, np.array([row["group"] for row in rows]), [row["id"] for row in rows]


def fit(x, y, made):
    """Logistic regression without negative weights: features that get one are removed until none does.

    Every feature is a sign of risk or neutral, so padding a package with harmless steps never lowers its score.
    """
    weight = np.where(made & (y == 0), BENIGN_WEIGHT, 1.0)
    keep = np.ones(x.shape[1], dtype=bool)
    while True:
        model = LogisticRegression(C=REGULARISATION, max_iter=5000, tol=1e-8)
        model.fit(np.where(keep, x, 0.0), y, sample_weight=weight)
        negative = (model.coef_[0] < 0) & keep
        if not negative.any():
            model.coef_[0][~keep] = 0.0
            return model
        keep &= ~negative


def rates(probability, y):
    flagged = probability >= REVIEW
    return {
        "recall_at_review": round(float(flagged[y == 1].mean()), 4),
        "false_alarms_at_review": round(float(flagged[y == 0].mean()), 4),
        "roc_auc": round(float(roc_auc_score(y, probability)), 4),
        "average_precision": round(float(average_precision_score(y, probability)), 4),
    }


def without(group, x, y, made, groups):
    rest = groups != group
    return fit(x[rest], y[rest], made[rest])


def each_family_left_out(x, y, made, groups):
    probability = np.zeros(len(y))
    for family in sorted(set(groups[made])):
        probability[groups == family] = without(family, x, y, made, groups).predict_proba(x[groups == family])[:, 1]
    return probability[made]


def as_sum(model, names):
    """The log odds are the intercept plus weight times feature: each verdict says what its features added."""
    weights = {name: round(float(weight), 6) for weight, name in zip(model.coef_[0], names) if weight > 0}
    return {"intercept": round(float(model.intercept_[0]), 6), "weights": weights}


CARD = ["version", "sha256", "training_data_sha256", "features", "thresholds", "measured"]


def keep_former(out):
    """The card of the version that is replaced goes to former.json, newest first: GET /models lists every version."""
    card = json.loads((out / "model.json").read_text()) if (out / "model.json").exists() else None
    former = json.loads((out / "former.json").read_text()) if (out / "former.json").exists() else []
    if card is None or card["version"] == VERSION or any(one["version"] == card["version"] for one in former):
        return
    kept = [{name: card[name] for name in CARD}, *former]
    (out / "former.json").write_text(json.dumps(kept, indent=2) + "\n")


def main(features, out, left_out, *data):
    names, x, y, made, groups, ids = read(features)
    out = pathlib.Path(out)
    sources = sorted(set(groups[~made]))
    left_out_models = {source: as_sum(without(source, x, y, made, groups), names) for source in sources}
    left_out = pathlib.Path(left_out)
    (left_out / "leave_one_source_out.json").write_text(json.dumps(left_out_models, indent=2) + "\n")
    unseen = each_family_left_out(x, y, made, groups)
    by_id = {name: round(float(value), 6) for name, value in zip(ids, unseen)}
    (left_out / "leave_one_family_out.json").write_text(json.dumps(by_id, indent=2) + "\n")
    model = fit(x, y, made)
    onnx = to_onnx(model, x[:1], options={"zipmap": False}, target_opset=17).SerializeToString(deterministic=True)
    keep_former(out)
    (out / "model.onnx").write_bytes(onnx)
    trained = hashlib.sha256()
    for path in data:
        trained.update(pathlib.Path(path).read_bytes())
    card = {
        "version": VERSION,
        "sha256": hashlib.sha256(onnx).hexdigest(),
        # Of the samples and the rows, one after the other.
        "training_data_sha256": trained.hexdigest(),
        "features": names,
        "thresholds": {"review": REVIEW},
        **as_sum(model, names),
        "measured": {
            "data": "synthetic samples made by training/generate-samples.ts, and rows of public packages",
            "samples": int(made.sum()),
            "families": len(set(groups[made])),
            "development_rows": int((~made).sum()),
            "sources": len(sources),
            "leave_one_family_out": rates(unseen, y[made]),
            "on_training_data": rates(model.predict_proba(x)[:, 1], y),
        },
    }
    (out / "model.json").write_text(json.dumps(card, indent=2) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
