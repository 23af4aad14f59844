"""Three public ways to find anomalies in one series: rolling z-score, isolation forest, matrix profile.

Each sees a series' values in time order, missing ones left out, and gives a score per point for each
of its settings; points above the setting's threshold are flagged. The short window is a day of hours or
60 rows of minutes, the long one a week of hours or 360 rows of minutes.
"""

import warnings

import numpy as np
import pandas as pd
import stumpy
from sklearn.ensemble import IsolationForest

WINDOWS = {"short": {"hourly": 24, "minute": 60}, "long": {"hourly": 168, "minute": 360}}
Z_LIMITS = [3, 4, 5]
SHARES = [0.005, 0.01, 0.02]

# Windows that repeat exactly, as a flat line's do, are no sign of a wrong call here.
warnings.filterwarnings("ignore", "A large number of values in `P`", UserWarning)


def rolling_z_score(series):
    """|value − mean| ÷ standard deviation of the window before it, above a limit."""
    for name, points in WINDOWS.items():
        window = points[series.table]
        before = series.values.shift(1).rolling(window, min_periods=window // 2)
        # A window of one value has no spread: any other value stands infinitely far off.
        with np.errstate(divide="ignore", invalid="ignore"):
            z = ((series.values - before.mean()).abs() / before.std()).to_numpy()
        for limit in Z_LIMITS:
            yield f"{name} window, |z| > {limit}", z > limit


def isolation_forest(series):
    """100 trees on value, difference, rolling mean and rolling standard deviation; the oddest share of points."""
    for name, points in WINDOWS.items():
        window = points[series.table]
        rolling = series.values.rolling(window, min_periods=2)
        features = pd.DataFrame(
            {"value": series.values, "difference": series.values.diff(), "mean": rolling.mean(), "std": rolling.std()}
        ).dropna()
        score = pd.Series(0.0, index=series.values.index)
        if len(features) > window:
            forest = IsolationForest(n_estimators=100, random_state=0).fit(features)
            score[features.index] = -forest.score_samples(features)
        for share in SHARES:
            yield f"{name} window, contamination {share}", above_share(score.to_numpy(), share)


def matrix_profile(series):
    """Windows whose nearest other window is farthest (discords): the top share of windows, all their points."""
    values = series.values.to_numpy(dtype=float)
    for name, points in WINDOWS.items():
        window = points[series.table]
        profile = np.zeros(len(values))
        if len(values) > 2 * window:
            profile[: len(values) - window + 1] = stumpy.stump(values, window)[:, 0].astype(float)
        profile[~np.isfinite(profile)] = 0
        for share in SHARES:
            starts = np.flatnonzero(above_share(profile, share))
            flagged = np.zeros(len(values), dtype=bool)
            for start in starts:
                flagged[start : start + window] = True
            yield f"{name} window, top {share:.1%}", flagged


def above_share(score, share):
    """Whether a score is among the greatest share of them."""
    return score > np.quantile(score, 1 - share)


BASELINES = {"rolling z-score": rolling_z_score, "isolation forest": isolation_forest, "matrix profile": matrix_profile}
