#!/usr/bin/env python3
"""Writes statistics.json: what SciPy makes of data that src/statistics is tested with.

    python3 -m venv venv && venv/bin/pip install scipy==1.17.1 && venv/bin/python tests/golden/statistics.py

Where SciPy has no function, the value comes from the definition by another way than the Rust code goes: intervals by searching
for the centres that SciPy's test does not refuse, Holm's chances by closed testing over all subsets, the bootstrap by
SciPy's own generator (so it is compared with an allowance).
"""
import itertools
import json
import math
import pathlib

import numpy as np
import scipy
from scipy import stats

random = np.random.default_rng(12)


def hodges_lehmann(x):
    return float(np.median([(x[i] + x[j]) / 2 for i in range(len(x)) for j in range(i + 1)]))


def refused(x, centre, alternative, chance):
    return stats.wilcoxon(x - centre, alternative=alternative, method="exact").pvalue <= chance


def interval(x, level):
    """The outermost pair averages at which the one-sided exact tests change their mind."""
    averages = sorted((x[i] + x[j]) / 2 for i in range(len(x)) for j in range(i + 1))
    middles = [(a + b) / 2 for a, b in zip(averages, averages[1:])]
    tail = (1 - level) / 2
    kept = [m for m in middles if not refused(x, m, "greater", tail) and not refused(x, m, "less", tail)]
    low = averages[middles.index(kept[0])] if kept and middles.index(kept[0]) > 0 else None
    high = averages[middles.index(kept[-1]) + 1] if kept and middles.index(kept[-1]) < len(middles) - 1 else None
    # the ends themselves are average values: an end that is the smallest or largest of them is a bound only if the test refuses
    # what lies beyond
    if low is None and refused(x, averages[0] - 1.0, "greater", tail):
        low = averages[0]
    if high is None and refused(x, averages[-1] + 1.0, "less", tail):
        high = averages[-1]
    return [low, high]


def sign_flips(x):
    """All 2^n flips, one by one: SciPy's permutation test on the sum of signed ranks."""
    def signed_ranks(y, axis=-1):
        ranks = stats.rankdata(np.abs(y), axis=axis)
        return np.sum(np.sign(y) * ranks, axis=axis)
    result = stats.permutation_test((x,), signed_ranks, permutation_type="samples", n_resamples=np.inf, vectorized=True)
    return float(result.pvalue)


def paired():
    cases = []
    for size, draw in [
        (5, lambda n: random.normal(0.3, 1, n)),
        (6, lambda n: random.normal(2, 1, n)),
        (12, lambda n: random.normal(0.2, 1, n)),
        (15, lambda n: random.standard_t(2, n) + 1),
        (20, lambda n: random.lognormal(0, 1, n) - 1),
        (42, lambda n: random.normal(-0.1, 1, n)),
    ]:
        x = np.round(draw(size), 6)
        cases.append({
            "differences": x.tolist(),
            "estimate": hodges_lehmann(x),
            "interval95": interval(x, 0.95),
            "interval90": interval(x, 0.90),
            "apart": float(stats.wilcoxon(x, method="exact").pvalue),
            "above": float(stats.wilcoxon(x, alternative="greater", method="exact").pvalue),
            "below": float(stats.wilcoxon(x, alternative="less", method="exact").pvalue),
            "flips": sign_flips(x) if size <= 15 else None,
            "margin": 0.8,
            "equivalent": max(
                float(stats.wilcoxon(x + 0.8, alternative="greater", method="exact").pvalue),
                float(stats.wilcoxon(x - 0.8, alternative="less", method="exact").pvalue)),
        })
    return cases


def bootstrap():
    def estimate(x, axis=-1):
        return np.apply_along_axis(hodges_lehmann, axis, x)
    cases = []
    for size in [10, 25]:
        x = np.round(random.normal(1, 1, size), 6)
        found = stats.bootstrap((x,), estimate, n_resamples=4000, method="percentile", confidence_level=0.95, rng=random)
        cases.append({"differences": x.tolist(), "low": float(found.confidence_interval.low),
                      "high": float(found.confidence_interval.high)})
    return cases


def shares():
    cases = []
    for k, n in [(0, 10), (1, 10), (7, 20), (50, 100), (100, 100), (3, 60), (999, 10000)]:
        test = stats.binomtest(k, n)
        wilson, exact = (test.proportion_ci(0.95, method=method) for method in ["wilson", "exact"])
        cases.append({"k": k, "n": n, "wilson": [wilson.low, wilson.high], "exact": [exact.low, exact.high]})
    return cases


def zero_failures():
    return [{"n": n, "upper": float(stats.binomtest(0, n, alternative="less").proportion_ci(0.95, method="exact").high)}
            for n in [1, 10, 1000, 100000]]


def quantiles():
    cases = []
    for size in [1, 7, 100, 1000]:
        x = np.sort(np.round(random.lognormal(0, 1, size), 6))
        shares = [0.05, 0.25, 0.5, 0.9, 0.99, 0.999, 1.0]
        cases.append({"sorted": x.tolist(), "shares": shares,
                      "values": [float(np.quantile(x, share, method="inverted_cdf")) for share in shares]})
    return cases


def requests_needed():
    """The smallest n with P(all n values below the quantile) <= 2.5 %."""
    needed = []
    for share in [0.5, 0.9, 0.99, 0.999, 0.9999]:
        n = 1
        while stats.binom.pmf(n, n, share) > 0.025:
            n += 1
        needed.append({"share": share, "needed": n})
    return needed


def closed_testing(chances):
    """Holm as it is defined: a claim stands when every set of claims with it is refused by Bonferroni."""
    everyone = range(len(chances))
    sets = [s for r in range(1, len(chances) + 1) for s in itertools.combinations(everyone, r)]
    return [max(min(1.0, len(s) * min(chances[j] for j in s)) for s in sets if i in s) for i in everyone]


def families():
    return [{"chances": c, "adjusted": closed_testing(c)}
            for c in [[0.01, 0.04, 0.03, 0.005], [0.2, 0.001, 0.6], [0.5], [0.04, 0.04, 0.04, 0.9, 0.0]]]


def trends():
    cases = []
    for x in [random.normal(0, 1, 8), np.arange(8) + random.normal(0, 2, 8), np.round(random.normal(0, 1, 20)), np.arange(5)]:
        x = np.round(x, 6)
        p = stats.kendalltau(np.arange(len(x)), x, method="asymptotic", variant="b").pvalue
        cases.append({"series": x.tolist(), "p": float(p)})
    return cases


def correlations():
    cases = []
    for size in [5, 50]:
        x = np.round(np.cumsum(random.normal(0, 1, size)), 6)
        d = x - x.mean()
        cases.append({"series": x.tolist(), "r": float(np.dot(d[:-1], d[1:]) / np.dot(d, d))})
    return cases


def dominances():
    cases = []
    for a, b in [(random.integers(0, 10, 30), random.integers(2, 12, 40)), (np.array([1, 2]), np.array([3]))]:
        u = stats.mannwhitneyu(b, a).statistic
        cases.append({"a": a.tolist(), "b": b.tolist(), "delta": float(2 * u / (len(a) * len(b)) - 1)})
    return cases


def power():
    cases = []
    for se, effect, n in [(0.1, 0.3, 20), (0.05, 0.05, 40), (2.0, 0.5, 12)]:
        sizes = stats.norm.ppf(0.975) + stats.norm.ppf(0.8)
        cases.append({"standardError": se, "effect": effect, "units": n, "detectable": float(sizes * se),
                      "needed": math.ceil(n * (sizes * se / effect) ** 2)})
    return cases


def means():
    cases = []
    for a, b in [
        (random.lognormal(0, 0.5, 100), random.lognormal(-0.2, 0.3, 100)),
        (random.normal(61, 0.4, 2), random.normal(0, 0.1, 2)),
        (random.normal(61, 0.4, 2), np.zeros(2)),
        (random.normal(5, 1, 12), random.normal(5, 4, 30)),
    ]:
        a, b = np.round(a, 6), np.round(b, 6)
        found = stats.ttest_ind(b, a, equal_var=False)
        interval95, interval90 = (found.confidence_interval(level) for level in [0.95, 0.90])
        cases.append({"a": a.tolist(), "b": b.tolist(), "interval95": [interval95.low, interval95.high],
                      "interval90": [interval90.low, interval90.high]})
    return cases


golden = {
    "scipy": scipy.__version__,
    "paired": paired(),
    "bootstrap": bootstrap(),
    "shares": shares(),
    "zeroFailures": zero_failures(),
    "quantiles": quantiles(),
    "requestsNeeded": requests_needed(),
    "families": families(),
    "trends": trends(),
    "correlations": correlations(),
    "dominances": dominances(),
    "power": power(),
    "means": means(),
}
path = pathlib.Path(__file__).with_suffix(".json")
lines = [f' "{key}": ' + ("[\n  " + ",\n  ".join(map(json.dumps, cases)) + "\n ]" if isinstance(cases, list) else json.dumps(cases))
         for key, cases in golden.items()]
path.write_text("{\n" + ",\n".join(lines) + "\n}\n")
