//! NEST's models and their names, mapped onto the zoo.

use rheobase_engine::port::{NeuronPorts, Registry};
use rheobase_engine::suggest::{abbreviated, nearest};

use super::SonataError;

/// A model that files name and the neuron it maps onto.
#[derive(Debug)]
pub(super) struct Template {
    /// `schema:resource` as files write it.
    pub(super) name: &'static str,
    /// Name in the registry.
    pub(super) neuron: &'static str,
    /// Parameters: theirs, ours. The units are the same: ms, mV, pA, pF, nS.
    pub(super) parameters: &'static [(&'static str, &'static str)],
    /// Variables: theirs, ours.
    pub(super) states: &'static [(&'static str, &'static str)],
    /// Port of weights ≥ 0.
    pub(super) excitatory: &'static str,
    /// Port of weights < 0, and whether it takes their size without the sign.
    pub(super) inhibitory: (&'static str, bool),
}

/// Potential at which NEST's models start, whatever their resting potential \[mV\].
pub(super) const INITIAL_POTENTIAL_MV: f64 = -70.0;

/// NEST's name of the membrane potential.
pub(super) const POTENTIAL: &str = "V_m";

/// NEST's name of the constant current.
pub(super) const CURRENT: &str = "I_e";

const CURRENT_BASED: &[(&str, &str)] = &[
    ("C_m", "c_m"),
    ("tau_m", "tau_m"),
    ("t_ref", "t_ref"),
    ("E_L", "e_l"),
    ("V_th", "v_th"),
    ("V_reset", "v_reset"),
    ("tau_syn_ex", "tau_ex"),
    ("tau_syn_in", "tau_in"),
    (CURRENT, "i_e"),
];

const DELTA: &[(&str, &str)] = &[
    ("C_m", "c_m"),
    ("tau_m", "tau_m"),
    ("t_ref", "t_ref"),
    ("E_L", "e_l"),
    ("V_th", "v_th"),
    ("V_reset", "v_reset"),
    (CURRENT, "i_e"),
];

const CONDUCTANCE_BASED: &[(&str, &str)] = &[
    ("C_m", "c_m"),
    ("g_L", "g_l"),
    ("t_ref", "t_ref"),
    ("E_L", "e_l"),
    ("V_th", "v_th"),
    ("V_reset", "v_reset"),
    ("E_ex", "e_ex"),
    ("E_in", "e_in"),
    ("tau_syn_ex", "tau_ex"),
    ("tau_syn_in", "tau_in"),
    (CURRENT, "i_e"),
];

const TEMPLATES: [Template; 4] = [
    Template {
        name: "nest:iaf_psc_alpha",
        neuron: "iaf_psc_alpha",
        parameters: CURRENT_BASED,
        states: &[(POTENTIAL, "v"), ("I_syn_ex", "i_ex"), ("I_syn_in", "i_in")],
        excitatory: "ex",
        inhibitory: ("in", false),
    },
    Template {
        name: "nest:iaf_psc_exp",
        neuron: "iaf_psc_exp",
        parameters: CURRENT_BASED,
        states: &[(POTENTIAL, "v"), ("I_syn_ex", "i_ex"), ("I_syn_in", "i_in")],
        excitatory: "ex",
        inhibitory: ("in", false),
    },
    Template {
        name: "nest:iaf_psc_delta",
        neuron: "iaf_psc_delta",
        parameters: DELTA,
        states: &[(POTENTIAL, "v")],
        excitatory: "delta",
        inhibitory: ("delta", false),
    },
    Template {
        name: "nest:iaf_cond_exp",
        neuron: "iaf_cond_exp",
        parameters: CONDUCTANCE_BASED,
        states: &[(POTENTIAL, "v"), ("g_ex", "g_ex"), ("g_in", "g_in")],
        excitatory: "ex",
        inhibitory: ("in", true),
    },
];

/// The template of a name.
pub(super) fn template(name: &str, place: &str) -> Result<&'static Template, SonataError> {
    TEMPLATES.iter().find(|t| t.name == name).ok_or_else(|| {
        let known = TEMPLATES.map(|t| t.name);
        let what = format!("model_template `{}`", abbreviated(name));
        SonataError::unsupported(place, what, known.join(", "))
    })
}

impl Template {
    /// Place of one of their parameters among ours.
    pub(super) fn parameter(
        &self,
        name: &str,
        ports: &NeuronPorts,
        place: &str,
    ) -> Result<usize, SonataError> {
        let ours = self.parameters.iter().find(|(theirs, _)| *theirs == name);
        ours.and_then(|(_, ours)| ports.parameters.iter().position(|q| q.name == *ours))
            .ok_or_else(|| self.unknown("parameter", name, self.parameters, place))
    }

    /// Place of one of their variables among our states.
    pub(super) fn state(
        &self,
        name: &str,
        ports: &NeuronPorts,
        place: &str,
    ) -> Result<usize, SonataError> {
        // BMTK writes `v` for the potential of any model.
        let name = if name == "v" { POTENTIAL } else { name };
        let ours = self.states.iter().find(|(theirs, _)| *theirs == name);
        ours.and_then(|(_, ours)| ports.states.iter().position(|q| q.name == *ours))
            .ok_or_else(|| self.unknown("variable", name, self.states, place))
    }

    fn unknown(
        &self,
        what: &str,
        name: &str,
        known: &[(&'static str, &'static str)],
        place: &str,
    ) -> SonataError {
        let known: Vec<&str> = known.iter().map(|(theirs, _)| *theirs).collect();
        let mut what = format!("{what} `{}` of {}", abbreviated(name), self.name);
        if let Some(near) = nearest(name, &known) {
            what.push_str(&format!(" (did you mean `{near}`?)"));
        }
        SonataError::unsupported(place, what, known.join(", "))
    }

    /// Ports of weights ≥ 0 and < 0.
    pub(super) fn ports(
        &self,
        registry: &Registry,
        place: &str,
    ) -> Result<[usize; 2], SonataError> {
        let ports = neuron(self, registry, place)?.ports().inputs.iter();
        let port = |name: &str| {
            let position = ports.clone().position(|q| q.name == name);
            position.ok_or_else(|| {
                let message = format!("the registry's `{}` has no port `{name}`", self.neuron);
                SonataError::wrong(place, message)
            })
        };
        Ok([port(self.excitatory)?, port(self.inhibitory.0)?])
    }
}

/// The neuron of a template.
pub(super) fn neuron<'r>(
    template: &Template,
    registry: &'r Registry,
    place: &str,
) -> Result<&'r std::sync::Arc<dyn rheobase_engine::port::NeuronType>, SonataError> {
    registry.neurons.get(template.neuron).ok_or_else(|| {
        let message = format!("the registry has no neuron `{}`", template.neuron);
        SonataError::wrong(place, message)
    })
}
