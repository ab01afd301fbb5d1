//! One step from its check to its end: attempts, pauses, the deadline, and the journal around each mutation.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinError;

use super::outcome::StepError;
use super::{Actor, Cancel, Check};
use crate::error::{BoxError, Family};
use crate::event::{Direction, StepOutcome};
use crate::graph::{Kind, Step};
use crate::journal::Journal;
use crate::journal::steps::{Phase, StepEntry};
use crate::progress::Progress;

/// Pauses between attempts grow up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// A step being performed; owns what its task needs.
pub(super) struct Attempt<K, A> {
    pub(super) step: Step<K>,
    pub(super) deadline: Duration,
    pub(super) sentence: String,
    pub(super) actor: Arc<A>,
    pub(super) direction: Direction,
    pub(super) progress: Progress,
    pub(super) journal: Option<Arc<Journal<StepEntry>>>,
    pub(super) run_id: String,
    pub(super) cancel: Cancel,
}

impl<K: Kind, A: Actor<K>> Attempt<K, A> {
    /// Performs the step within its deadline. The error of the last failed attempt survives the deadline.
    pub(super) async fn perform(self) -> Result<StepOutcome, StepError> {
        let deadline = self.deadline;
        let (mut last, mut touched) = (None, false);
        match tokio::time::timeout(deadline, self.attempts(&mut last, &mut touched)).await {
            Err(_) => {
                let error = StepError::Deadline { after: deadline, last, said: self.progress.last() };
                Err(if touched { self.given_up(error).await } else { error })
            }
            Ok(Err(error)) if touched => Err(self.given_up(error).await),
            Ok(result) => result,
        }
    }

    async fn attempts(&self, last: &mut Option<BoxError>, touched: &mut bool) -> Result<StepOutcome, StepError> {
        let limits = self.step.kind.limits();
        let mut pause = limits.pause;
        let mut attempt = 1;
        loop {
            match self.once(touched).await {
                Err(StepError::Actor(error)) if attempt < limits.attempts && worth_retrying(&error) => {
                    self.progress.retrying(attempt, &*error);
                    *last = Some(error);
                }
                result => return result,
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.cancel.cancelled() => return Ok(StepOutcome::Cancelled),
            }
            attempt += 1;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Records a failure in the journal. If that cannot be written, the step's own error is still the one to show.
    pub(super) async fn given_up(&self, error: StepError) -> StepError {
        if let Err(unwritten) = self.note(Phase::Failed).await {
            tracing::error!(step = %self.step.id, error = crate::error::chain(&unwritten), "not in the journal");
        }
        error
    }

    /// One attempt. `touched` is true once the journal says that this step may have changed the world.
    async fn once(&self, touched: &mut bool) -> Result<StepOutcome, StepError> {
        let (kind, progress) = (&self.step.kind, &self.progress);
        if self.direction == Direction::Undo {
            self.announce(Phase::Undoing, touched).await?;
            self.actor.undo(kind, progress).await.map_err(StepError::Actor)?;
            self.note(Phase::Undone).await?;
            return Ok(StepOutcome::Undone);
        }
        match (check(&*self.actor, kind).await?, *touched) {
            (Check::Satisfied, false) => return Ok(StepOutcome::Satisfied),
            (Check::Satisfied, true) => {}
            (Check::Needed(why), _) => {
                if !why.is_empty() {
                    progress.say(why);
                }
                self.announce(Phase::Applying, touched).await?;
                self.actor.apply(kind, progress).await.map_err(StepError::Actor)?;
            }
        }
        self.note(Phase::Applied).await?;
        Ok(StepOutcome::Applied)
    }

    async fn announce(&self, phase: Phase, touched: &mut bool) -> Result<(), StepError> {
        if !*touched {
            self.note(phase).await?;
            *touched = true;
        }
        Ok(())
    }

    async fn note(&self, phase: Phase) -> Result<(), StepError> {
        // a step that only waits leaves nothing behind
        let Some(journal) = self.journal.as_ref().filter(|_| !self.step.kind.interruptible()) else { return Ok(()) };
        let entry = StepEntry {
            at: jiff::Timestamp::now(),
            run: self.run_id.clone(),
            step: self.step.id.clone(),
            sentence: self.sentence.clone(),
            phase,
        };
        journal.append(&entry).await.map_err(StepError::Journal)
    }
}

/// A check within its own time limit.
pub(super) async fn check<K: Kind, A: Actor<K>>(actor: &A, kind: &K) -> Result<Check, StepError> {
    let limit = kind.limits().check;
    match tokio::time::timeout(limit, actor.check(kind)).await {
        Ok(result) => result.map_err(StepError::Actor),
        Err(_) => Err(StepError::Deadline { after: limit, last: None, said: Some("looking at the live world".to_owned()) }),
    }
}

/// An error that does not go away by itself is not worth another try.
fn worth_retrying(error: &BoxError) -> bool {
    !matches!(error.family(), Family::Usage | Family::Profile | Family::Preflight | Family::Interrupted | Family::Internal)
}

/// The failure of a task that did not end by itself.
pub(super) fn panicked(error: JoinError) -> StepError {
    let message = match error.try_into_panic() {
        Ok(payload) => panic_text(&*payload),
        Err(error) => error.to_string(),
    };
    StepError::Panicked { message }
}

fn panic_text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "panic without a message".to_owned())
}
