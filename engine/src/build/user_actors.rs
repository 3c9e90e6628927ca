//! Users' own actors.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::workers::is_crowded;
use super::{BuildError, NodeContext, records_spikes};
use crate::mailbox::Patience;
use crate::plan::{EdgeKind, UserActor};
use crate::port::ActorContext;
use crate::random::{Philox, Purpose};
use crate::user_actor::{PortSource, UserNode, UserParts};

pub(super) fn user_node(
    context: &NodeContext<'_>,
    user: &UserActor,
    abort: &Arc<AtomicBool>,
) -> Result<UserNode, BuildError> {
    let plan = context.plan;
    let failed = |message: String| BuildError::Actor {
        actor: context.node.name.clone(),
        message,
    };
    if plan.batch != 1 {
        let message = format!(
            "it runs once, but the network has a batch of {}",
            plan.batch
        );
        return Err(failed(message));
    }
    let sources: Result<Vec<PortSource>, BuildError> = (0..user.ports.inputs.len())
        .map(|port| source_of(context, port).map_err(failed))
        .collect();
    let threads = context.options.threads + 1;
    let parts = UserParts {
        node: context.id,
        name: context.node.name.clone(),
        actor_type: Arc::clone(&user.actor),
        context: ActorContext {
            dt_ms: plan.dt_ms,
            stream: Philox::new(plan.seed, Purpose::Actor, context.id as u64),
            arguments: user.arguments.clone(),
        },
        ports: user.ports.clone(),
        sources: sources?,
        lanes: context.node.size(),
        record_spikes: records_spikes(plan, context.id),
        patience: Patience::new(context.options.answer_within, is_crowded(threads)),
        abort: Arc::clone(abort),
    };
    UserNode::new(parts).map_err(failed)
}

/// The one edge that leads to a port.
fn source_of(context: &NodeContext<'_>, port: usize) -> Result<PortSource, String> {
    let plan = context.plan;
    let edges = plan.edges.iter();
    let mut edges = edges.filter(|e| e.target == context.id && e.port == port);
    match (edges.next(), edges.next()) {
        (Some(edge), None) => match edge.kind {
            EdgeKind::Identity { delay_steps } => Ok(PortSource {
                node: edge.source,
                name: plan.nodes[edge.source].name.clone(),
                delay: delay_steps,
            }),
            EdgeKind::Synapses(_) => Err(format!("`{}` has synapses", edge.name)),
        },
        (None, _) => Err(format!("no edge leads to its port {port}")),
        (Some(_), Some(_)) => Err(format!("several edges lead to its port {port}")),
    }
}
