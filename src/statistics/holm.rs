//! Corrects for asking several questions of the same data.

/// The p-values, adjusted so that comparing each with the level keeps the chance of any wrong rejection below it (Holm,
/// Scandinavian Journal of Statistics 6, 1979). In the order given.
pub fn holm(chances: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..chances.len()).collect();
    order.sort_unstable_by(|one, other| chances[*one].total_cmp(&chances[*other]));
    let mut adjusted = vec![0.0; chances.len()];
    let mut largest: f64 = 0.0;
    for (passed, index) in order.into_iter().enumerate() {
        largest = largest.max((chances[index] * (chances.len() - passed) as f64).min(1.0));
        adjusted[index] = largest;
    }
    adjusted
}
