//! What a network learns and keeps: the arrays that training saves.

use crate::build::{BuildError, layer_input, layer_parameters};
use crate::instantiate::Instantiate;
use crate::plan::{NodeKind, Plan};
use crate::port::Tensor;

/// Arrays of a network, each with the name of its node.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Arrays {
    /// Parameters of layers and learned parameters of populations, as the description gives them.
    pub parameters: Vec<(String, Tensor<f64>)>,
    /// Arrays that are not trained but belong to the network (running statistics), as at first.
    pub buffers: Vec<(String, Tensor<f64>)>,
}

impl Arrays {
    /// Those of a network: what [`SessionOptions::parameters`](super::SessionOptions) may replace to have
    /// what was trained. The values of learned parameters of populations are left out.
    ///
    /// # Errors
    /// If no edge leads to a layer.
    pub fn of(plan: &Plan) -> Result<Self, BuildError> {
        let mut arrays = Self::default();
        for (id, node) in plan.nodes.iter().enumerate() {
            match &node.kind {
                NodeKind::Layer(layer) => {
                    let named = |tensor| (node.name.clone(), tensor);
                    let parameters = layer_parameters::<f64>(plan, id)?;
                    arrays.parameters.extend(parameters.into_iter().map(named));
                    let mut whole = f64::layer(layer.as_ref(), layer_input(plan, id)?);
                    let buffers = whole.buffers().iter().cloned();
                    arrays.buffers.extend(buffers.map(named));
                }
                NodeKind::Population(population) => {
                    let Some(component) = population.neuron.component() else {
                        continue;
                    };
                    let declared = component.model.parameters.iter();
                    for (declared, value) in declared.zip(&population.parameters) {
                        if !declared.learnable {
                            continue;
                        }
                        let n = if value.constant().is_some() {
                            1
                        } else {
                            node.size()
                        };
                        let tensor = Tensor {
                            name: declared.name.clone(),
                            shape: vec![n],
                            values: Vec::new(),
                        };
                        arrays.parameters.push((node.name.clone(), tensor));
                    }
                }
                _ => {}
            }
        }
        Ok(arrays)
    }
}
