//! What stimuli look up on the device.

use rheobase_shaders::{Afferent, AfferentKind, PoissonTrain};

use super::super::error::GpuError;
use super::super::step::word;
use super::placement::drive_context;
use crate::plan::{NodeId, Plan};
use crate::port::DeviceDrive;

/// Numbers of all stimuli, one after the other.
#[derive(Default)]
pub(super) struct Tables {
    pub(super) words: Vec<u32>,
}

impl Tables {
    /// The stimuli that act on a population, in the order of the description.
    pub(super) fn drives(&mut self, plan: &Plan, node: NodeId) -> Result<Vec<Afferent>, GpuError> {
        let onto = plan.drives.iter().enumerate();
        let mut all = Vec::new();
        for (index, drive) in onto.filter(|(_, d)| d.target == node) {
            let kind = drive.drive.on_device(drive_context(plan, index));
            if let Some(kind) = kind.map(|kind| self.drive(kind)).transpose()?.flatten() {
                all.push(Afferent {
                    port: drive.port,
                    kind,
                });
            }
        }
        Ok(all)
    }

    /// `None` for one that adds nothing.
    #[allow(
        clippy::cast_possible_truncation,
        reason = "weights of an f32 population"
    )]
    fn drive(&mut self, drive: DeviceDrive) -> Result<Option<AfferentKind>, GpuError> {
        Ok(match drive {
            DeviceDrive::Constant(amplitude) => Some(AfferentKind::Constant(amplitude as f32)),
            DeviceDrive::Counts {
                base: 0,
                thresholds,
                ..
            } if thresholds.is_empty() => None,
            DeviceDrive::Counts {
                weight,
                stream,
                base,
                thresholds,
            } => {
                let first = word("numbers of stimuli", self.words.len())?;
                self.words.extend_from_slice(&thresholds);
                Some(AfferentKind::Poisson(PoissonTrain {
                    weight: (weight as f32).to_bits(),
                    key: stream.key(),
                    base,
                    first,
                    n: word("numbers of stimuli", thresholds.len())?,
                }))
            }
        })
    }
}
