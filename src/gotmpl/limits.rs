//! Bounds on what a template may cost.
//!
//! Every step of an execution and every byte that it makes is counted against
//! a budget, so that a template that never ends, or grows without end, stops
//! with an error after a time and at a size that do not depend on the machine.

/// How much an execution may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Steps: a node evaluated is one, what a function does costs as much as
    /// it takes time.
    pub steps: u64,
    /// Bytes of values and output made over the whole execution, whether they
    /// are kept or not.
    pub bytes: u64,
    /// How many templates may be within each other.
    pub depth: u32,
}

impl Default for Limits {
    /// What ends a hostile template within ten seconds and a gibibyte; real
    /// charts use a hundredth of it.
    fn default() -> Limits {
        Limits {
            steps: 60_000_000,
            bytes: 640 << 20,
            depth: 5_000,
        }
    }
}

/// A budget that is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exhausted {
    /// No steps are left.
    Steps,
    /// No bytes are left.
    Bytes,
    /// Templates are within each other too deep.
    Depth,
}

impl Exhausted {
    /// What happened.
    pub fn message(self) -> &'static str {
        match self {
            Exhausted::Steps => "the template takes too many steps: it may never end",
            Exhausted::Bytes => "the template makes more text than is allowed: it may grow forever",
            Exhausted::Depth => "templates are nested too deep: one may include itself",
        }
    }
}

/// What is left of the limits.
#[derive(Clone, Debug)]
pub struct Meter {
    steps: u64,
    bytes: u64,
}

/// Bytes that can be handled in about the time of a step.
const BYTES_PER_STEP: u64 = 128;

impl Meter {
    /// All of the limits.
    pub fn new(limits: &Limits) -> Meter {
        Meter {
            steps: limits.steps,
            bytes: limits.bytes,
        }
    }

    /// Takes some steps.
    pub fn take_steps(&mut self, steps: u64) -> Result<(), Exhausted> {
        let left = self.steps.checked_sub(steps);
        self.steps = left.unwrap_or(0);
        left.map(|_| ()).ok_or(Exhausted::Steps)
    }

    /// Takes bytes that are about to be made.
    pub fn take_bytes(&mut self, bytes: usize) -> Result<(), Exhausted> {
        let bytes = bytes as u64;
        let left = self.bytes.checked_sub(bytes);
        self.bytes = left.unwrap_or(0);
        left.ok_or(Exhausted::Bytes)?;
        self.take_steps(bytes / BYTES_PER_STEP)
    }

    /// Takes the steps that looking at that many bytes costs.
    pub fn look_at(&mut self, bytes: usize) -> Result<(), Exhausted> {
        self.take_steps(bytes as u64 / BYTES_PER_STEP)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_ends() {
        let mut meter = Meter::new(&Limits {
            steps: 10,
            bytes: 1280,
            depth: 1,
        });
        assert_eq!(meter.take_steps(4), Ok(()));
        assert_eq!(meter.take_bytes(640), Ok(()));
        assert_eq!(meter.take_steps(2), Err(Exhausted::Steps));
        assert_eq!(meter.take_bytes(2000), Err(Exhausted::Bytes));
        assert_eq!(meter.take_bytes(usize::MAX), Err(Exhausted::Bytes));
    }
}
