//! The last phase, if pods or memory are claimed: the arms take turns, each having the load alone for as long as the kubelets
//! need to sample its pods. No latency is measured here.

use std::ops::ControlFlow;
use std::time::Duration;

use super::error::CompareError;
use super::kubelet::Kubelets;
use super::measure::Kind;
use super::resources::Turn;
use super::run::{Experiment, Phase};
use crate::error::{chain, in_one_line};
use crate::load::Order;

/// Length of a turn: a kubelet samples a pod at least every 20 s, and two samples have to fall into a turn.
const TURN: Duration = Duration::from_secs(50);

impl Experiment<'_> {
    /// Runs all turns. If a kubelet does not answer, there are no figures, and the comparison goes on.
    pub(super) async fn turns(&mut self) -> Phase {
        let (declaration, mut turns) = (self.declaration(), Vec::new());
        let Some(client) = self.client.filter(|_| declaration.turns > 0) else { return Ok(ControlFlow::Continue(())) };
        let kubelets = match Kubelets::find(client).await {
            Ok(kubelets) => kubelets,
            Err(error) => return Ok(self.without_figures(&error)),
        };
        let order = Order::Blocks { requests: 1, seed: declaration.seed };
        for number in 0..declaration.turns {
            let arm = order.target(number);
            let (name, turn, of) = (&declaration.arms[arm].name, number + 1, declaration.turns);
            self.measuring(&format!("what `{name}` costs in pods and memory, turn {turn} of {of}"));
            let (target, end) = (self.targets()[arm], TURN.as_micros() as u32);
            let kind =
                Kind { name: "r", order: Order::Single, rate: declaration.load.rate.0, boundaries: vec![end], stall: false };
            let load = self.bench.load([target, target], kind, |_, _| ControlFlow::Continue(()));
            let (measured, looks) = tokio::join!(load, kubelets.watch(TURN, self.bench.cancel));
            let next = self.account(&measured?, [arm, arm]);
            if next.is_break() {
                return Ok(next);
            }
            match looks {
                Ok(looks) => turns.push(Turn { arm, looks }),
                Err(error) => return Ok(self.without_figures(&error)),
            }
        }
        self.found.turns = Some(Ok(turns));
        Ok(ControlFlow::Continue(()))
    }

    /// Notes why there are no figures; nothing else depends on the kubelets.
    fn without_figures(&mut self, error: &CompareError) -> ControlFlow<()> {
        self.found.turns = Some(Err(in_one_line(&chain(error))));
        ControlFlow::Continue(())
    }
}
