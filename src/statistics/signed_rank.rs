//! Paired differences: the Hodges-Lehmann estimate, and the interval by inverting the sign-flip test, whose centre it is.
//!
//! If the two arms are alike, each difference could as well have had the other sign: all 2^n ways to flip the signs are equally
//! likely. The statistic is the sum of the ranks of
//! difference
//! over the positive ones (Wilcoxon, Biometrics Bulletin 1, 1945), so that one wild window weighs no more than its rank. Flips
//! are counted exactly for every n by the recursion over ranks, so nothing is left to random draws. The sum equals the number
//! of positive Walsh averages (x_i + x_j) / 2, i <= j (Tukey, 1949); hence the interval is read off their sorted list, and the
//! estimate is its median (Hodges and Lehmann, Annals of Mathematical Statistics 34, 1963). With ties the closed interval
//! covers at least as often as it should (Noether, Journal of the American Statistical Association 62, 1967).

use super::Interval;

/// Paired differences, prepared for any number of questions.
#[derive(Debug, Clone)]
pub struct SignedRank {
    /// Averages of all pairs, including each value with itself; ascending.
    walsh: Vec<f64>,
    /// At each index, the chance of a sum of ranks of at most that index, when all flips are equally likely.
    chances: Vec<f64>,
}

impl SignedRank {
    /// From differences, finite, in any order.
    pub fn of(differences: &[f64]) -> Self {
        let mut walsh = Vec::with_capacity(differences.len() * (differences.len() + 1) / 2);
        for (index, one) in differences.iter().enumerate() {
            walsh.extend(differences[..=index].iter().map(|other| (one + other) / 2.0));
        }
        walsh.sort_unstable_by(f64::total_cmp);
        SignedRank { walsh, chances: rank_sums(differences.len()) }
    }

    /// From differences in the order of time. If neighbours are correlated, they contain less information than as many
    /// independent values: their distances from the estimate are stretched by the root of how much less, and with them every
    /// interval, while the estimate stays the same.
    pub fn of_series(differences: &[f64]) -> Self {
        let plain = Self::of(differences);
        let (factor, centre) = (super::dependence::widening(differences), plain.estimate());
        if factor <= 1.0 {
            return plain;
        }
        Self::of(&differences.iter().map(|value| centre + factor * (value - centre)).collect::<Vec<f64>>())
    }

    /// The Hodges-Lehmann estimate of the centre; NaN if there are no differences.
    pub fn estimate(&self) -> f64 {
        let count = self.walsh.len();
        if count == 0 {
            return f64::NAN;
        }
        (self.walsh[(count - 1) / 2] + self.walsh[count / 2]) / 2.0
    }

    /// All centres that the two-sided test at `1 - level` does not reject. Infinite if there are too few differences: at 95 %
    /// six are needed.
    pub fn interval(&self, level: f64) -> Interval {
        let tail = (1.0 - level) / 2.0;
        let cut = self.chances.partition_point(|chance| *chance <= tail);
        if cut == 0 || self.walsh.is_empty() {
            return Interval { low: f64::NEG_INFINITY, high: f64::INFINITY };
        }
        // the chances reach 1 > tail before the list ends
        Interval { low: self.walsh[cut - 1], high: self.walsh[self.walsh.len() - cut] }
    }

    /// Chance of differences as far above `centre` as these, or farther, if that is their true centre.
    pub fn p_above(&self, centre: f64) -> f64 {
        self.chances[self.walsh.partition_point(|average| *average <= centre)]
    }

    /// Chance of differences as far below `centre` as these, or farther, if that is their true centre.
    pub fn p_below(&self, centre: f64) -> f64 {
        self.chances[self.walsh.len() - self.walsh.partition_point(|average| *average < centre)]
    }

    /// Two-sided: the chance of differences as far from `centre` as these, or farther.
    pub fn p_apart(&self, centre: f64) -> f64 {
        (2.0 * self.p_above(centre).min(self.p_below(centre))).min(1.0)
    }

    /// Two one-sided tests (Schuirmann, Journal of Pharmacokinetics and Biopharmaceutics 15, 1987): small if the centre is
    /// within `margin` of zero. At most 5 % exactly when the 90 % interval is inside the margin.
    pub fn p_equivalent(&self, margin: f64) -> f64 {
        self.p_above(-margin).max(self.p_below(margin))
    }
}

/// Cumulated chances of the sum over a random half of the ranks 1..=n.
fn rank_sums(n: usize) -> Vec<f64> {
    let largest = n * (n + 1) / 2;
    let mut chances = vec![0.0; largest + 1];
    chances[0] = 1.0;
    let mut reached = 0;
    for rank in 1..=n {
        reached += rank;
        for sum in (0..=reached).rev() {
            let without = chances[sum];
            let with = if sum >= rank { chances[sum - rank] } else { 0.0 };
            chances[sum] = (without + with) / 2.0;
        }
    }
    let mut total: f64 = 0.0;
    for chance in &mut chances {
        total += *chance;
        *chance = total.min(1.0);
    }
    chances
}
