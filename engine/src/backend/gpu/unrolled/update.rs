//! Trained arrays that stay on the device: norms of gradients, updates, and fetching.

use rheobase_shaders::{Contraction, Role, Rows, Update, emit_update, workgroups};

use super::super::error::GpuError;
use super::super::step::word;
use super::GpuPass;
use super::machine::{ArrayId, KernelId, Machine};
use super::nodes::{DeviceNode, DeviceWork};
use crate::plan::NodeId;
use crate::port::Tensor;
use crate::unrolled::{DeviceStep, UnrolledError, UnrolledNetwork, UpdateEquations};

/// Sums of squares of an array, at most.
const MAX_SUMS: usize = 1024;

/// A trained array.
struct TrainedArray {
    node: NodeId,
    parameter: ArrayId,
    gradient: ArrayId,
    /// Values.
    n: usize,
    /// Room for what optimisers keep.
    kept: Vec<ArrayId>,
    /// What the optimiser in use keeps is there.
    is_kept: bool,
}

impl TrainedArray {
    fn n_sums(&self) -> usize {
        self.n.min(MAX_SUMS)
    }
}

/// All trained arrays, in the order of `visit_parameters`.
#[derive(Default)]
pub(super) struct TrainedArrays {
    all: Vec<TrainedArray>,
    sums: Option<ArrayId>,
    /// Optimisers compiled so far, by text.
    kernels: Vec<(String, KernelId)>,
    /// Arrays that the optimiser in use keeps of each.
    n_kept: usize,
    /// Σ g² of the last backward pass.
    pub(super) squares: f64,
}

impl TrainedArrays {
    pub(super) fn new(
        machine: &mut Machine,
        nodes: &[DeviceNode],
        network: &mut UnrolledNetwork<f32>,
    ) -> Result<Self, GpuError> {
        let mut all = Vec::new();
        for (node, work) in nodes.iter().map(|n| &n.work).enumerate() {
            let pairs: Vec<(ArrayId, ArrayId)> = match work {
                DeviceWork::Layer(layer) => {
                    let gradients = layer.gradient_arrays.iter().copied();
                    layer.parameters.iter().copied().zip(gradients).collect()
                }
                DeviceWork::Synapses(projections) => projections
                    .iter()
                    .filter_map(|p| Some((p.weights, p.gradient?)))
                    .collect(),
                DeviceWork::Nothing | DeviceWork::Population(_) => Vec::new(),
            };
            // An array is as long as its tensor, which may be empty; a buffer never is.
            let lengths = trained(network, node).into_iter().map(|t| t.values.len());
            for ((parameter, gradient), n) in pairs.into_iter().zip(lengths) {
                all.push(TrainedArray {
                    node,
                    parameter,
                    gradient,
                    n,
                    kept: Vec::new(),
                    is_kept: false,
                });
            }
        }
        let n_sums = all.iter().map(TrainedArray::n_sums).sum();
        let sums = match all.is_empty() {
            true => None,
            false => Some(machine.array("sums of squares", n_sums)?),
        };
        Ok(Self {
            all,
            sums,
            ..Self::default()
        })
    }
}

impl GpuPass {
    /// Adds up the squares of all gradients; where the sums lie.
    pub(super) fn sum_squares(&mut self) -> Result<Option<(ArrayId, usize, usize)>, GpuError> {
        let Some(sums) = self.trained.sums else {
            return Ok(None);
        };
        let mut first = 0;
        let arrays = self.trained.all.iter();
        let arrays: Vec<_> = arrays.map(|a| (a.gradient, a.n, a.n_sums())).collect();
        for (gradient, n, n_sums) in arrays {
            let rows = Rows {
                rows: word("values", n_sums)?,
                y_first: word("values", first)?,
                batch: word("values", n)?,
                ..Rows::default()
            };
            let kernel = self.sequences.squares;
            self.elements(kernel, rows, &[(Role::X, gradient), (Role::Y, sums)])?;
            first += n_sums;
        }
        Ok(Some((sums, 0, first)))
    }

    /// The kernel of an optimiser.
    fn optimizer(&mut self, equations: &UpdateEquations) -> Result<KernelId, GpuError> {
        let text = &equations.component().model.text;
        if let Some((_, kernel)) = self.trained.kernels.iter().find(|(t, _)| t == text) {
            return Ok(*kernel);
        }
        let module = emit_update(equations.component(), Contraction::Prevent)?;
        let kernel = self.machine.kernel(module)?;
        self.trained.kernels.push((text.clone(), kernel));
        Ok(kernel)
    }

    /// Puts the update of every array on the list.
    pub(super) fn queue_updates(
        &mut self,
        equations: &UpdateEquations,
        scale: f64,
        steps: Vec<Option<DeviceStep<f32>>>,
    ) -> Result<(), GpuError> {
        let kernel = self.optimizer(equations)?;
        self.trained.n_kept = equations.kept().len();
        let limit = self.machine.most_groups();
        // Nearly always the same for all arrays.
        let mut last: Option<(f64, u64, Vec<f32>)> = None;
        let n_kept = self.trained.n_kept;
        for (array, step) in self.trained.all.iter_mut().zip(steps) {
            let Some(step) = step.filter(|_| array.n > 0) else {
                continue;
            };
            if let Some(kept) = step.kept {
                for (k, values) in kept.iter().enumerate() {
                    if array.kept.len() == k {
                        let place = self.machine.array("what the optimiser keeps", array.n)?;
                        array.kept.push(place);
                    }
                    let words = bytemuck::cast_slice(values);
                    self.machine.write(array.kept[k], 0, words)?;
                }
                array.is_kept = true;
            }
            if n_kept > 0 && !array.is_kept {
                return Err(GpuError::Shape {
                    what: "arrays that the optimiser keeps",
                    expected: n_kept,
                    got: 0,
                });
            }
            let (rate, number) = (step.learning_rate, step.number);
            let is_same =
                |(r, n, _): &(f64, u64, Vec<f32>)| r.to_bits() == rate.to_bits() && *n == number;
            let derived = match last.take().filter(is_same) {
                Some((_, _, derived)) => derived,
                None => {
                    let derived = equations.derived(rate, number);
                    derived.into_iter().map(narrow).collect()
                }
            };
            let n = word("values", array.n)?;
            let update = Update {
                n,
                scale: narrow(scale),
                derived: &derived,
            };
            let groups = workgroups(n, limit).ok_or(GpuError::Limit {
                what: "elements of one kernel",
                needed: u64::from(n),
                limit: u64::from(limit).pow(2),
            })?;
            let mut arrays = vec![
                (Role::Parameter(0), array.parameter),
                (Role::Gradient(0), array.gradient),
            ];
            let kept = array.kept.iter().copied().take(n_kept);
            arrays.extend((0..).map(Role::Kept).zip(kept));
            self.machine
                .dispatch(kernel, &update.encode(), groups, &arrays);
            last = Some((rate, number, derived));
        }
        Ok(())
    }

    /// Reads parameters, gradients, or both.
    pub(super) fn read_trained(
        &mut self,
        network: &mut UnrolledNetwork<f32>,
        parameters: bool,
        gradients: bool,
    ) -> Result<(), UnrolledError> {
        let mut pieces = Vec::new();
        for array in &self.trained.all {
            pieces.extend(parameters.then_some((array.parameter, 0, array.n)));
            pieces.extend(gradients.then_some((array.gradient, 0, array.n)));
        }
        let mut read = self.machine.run(&pieces)?.into_iter();
        let mut nodes: Vec<NodeId> = self.trained.all.iter().map(|a| a.node).collect();
        nodes.dedup();
        for id in nodes {
            let n = self.trained.all.iter().filter(|a| a.node == id).count();
            let mut values: Vec<[Option<Vec<f32>>; 2]> = Vec::with_capacity(n);
            for _ in 0..n {
                let parameter = parameters.then(|| read.next()).flatten();
                values.push([parameter, gradients.then(|| read.next()).flatten()]);
            }
            let (of_parameters, of_gradients): (Vec<_>, Vec<_>) =
                values.into_iter().map(|[p, g]| (p, g)).unzip();
            each(trained(network, id), of_parameters, |own, read| *own = read);
            each(gradients_of(network, id), of_gradients, |own, read| {
                *own += read;
            });
        }
        Ok(())
    }

    /// Reads what the optimiser keeps; nothing if that is not here.
    pub(super) fn read_kept(&mut self) -> Result<Vec<Vec<Vec<f32>>>, GpuError> {
        let n_kept = self.trained.n_kept;
        let arrays = || self.trained.all.iter();
        if n_kept == 0 || arrays().all(|a| !a.is_kept) {
            return Ok(Vec::new());
        }
        let pieces = arrays().filter(|a| a.is_kept);
        let pieces = pieces.flat_map(|a| a.kept.iter().take(n_kept).map(|&kept| (kept, 0, a.n)));
        let pieces: Vec<_> = pieces.collect();
        let mut read = self.machine.run(&pieces)?.into_iter();
        let mut all = Vec::with_capacity(self.trained.all.len());
        for array in &self.trained.all {
            let n = if array.is_kept { n_kept } else { 0 };
            all.push(read.by_ref().take(n).collect());
        }
        Ok(all)
    }
}

impl TrainedArrays {
    /// What an optimiser has kept is not needed any more.
    pub(super) fn forget(&mut self) {
        self.all.iter_mut().for_each(|a| a.is_kept = false);
    }
}

fn trained(network: &mut UnrolledNetwork<f32>, id: NodeId) -> Vec<&mut Tensor<f32>> {
    // A node is a layer or holds projections.
    let projections = network.has_projections(id);
    if projections {
        return network.trained_synapse_weights(id);
    }
    network.layer_parameters(id).iter_mut().collect()
}

fn gradients_of(network: &mut UnrolledNetwork<f32>, id: NodeId) -> Vec<&mut Tensor<f32>> {
    let projections = network.has_projections(id);
    if projections {
        return network.synapse_gradients(id);
    }
    network.layer_gradients(id).iter_mut().collect()
}

fn each(own: Vec<&mut Tensor<f32>>, read: Vec<Option<Vec<f32>>>, f: impl Fn(&mut f32, f32)) {
    for (tensor, values) in own.into_iter().zip(read) {
        for (own, read) in tensor.values.iter_mut().zip(values.unwrap_or_default()) {
            f(own, read);
        }
    }
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "as the processor rounds it"
)]
fn narrow(x: f64) -> f32 {
    x as f32
}
