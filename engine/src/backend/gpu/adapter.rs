//! Which devices there are, and which to open.

use std::fmt;

use super::error::GpuError;

/// Kind of an adapter.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AdapterKind {
    /// A card with its own memory.
    Discrete,
    /// Shares the memory of the processor.
    Integrated,
    /// Part of another machine's device.
    Virtual,
    /// Unknown.
    Other,
    /// The processor itself, pretending.
    Software,
}

/// What is known of an adapter before it is opened.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct AdapterInfo {
    /// Name, as the driver spells it.
    pub name: String,
    /// `vulkan`, `metal`, `dx12`, ….
    pub backend: String,
    /// Kind.
    pub kind: AdapterKind,
    /// Driver and its version.
    pub driver: String,
    /// Largest buffer \[bytes\].
    pub max_buffer_bytes: u64,
    /// Largest part of a buffer one shader sees \[bytes\].
    pub max_binding_bytes: u64,
    /// Most storage buffers one shader binds.
    pub max_storage_buffers: u32,
    /// Most workgroups along one dimension.
    pub max_workgroups: u32,
}

impl fmt::Display for AdapterInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            AdapterKind::Discrete => "discrete",
            AdapterKind::Integrated => "integrated",
            AdapterKind::Virtual => "virtual",
            AdapterKind::Other => "unknown kind",
            AdapterKind::Software => "software",
        };
        write!(
            f,
            "{} ({}, {kind}; {})",
            self.name, self.backend, self.driver
        )
    }
}

/// Which adapter to open. Among several that fit, the kinds are tried in the order of
/// [`AdapterKind`], and within a kind the order of the system.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum AdapterChoice {
    /// Any hardware adapter.
    Hardware,
    /// A software adapter.
    Software,
    /// Hardware if there is one, else software.
    #[default]
    Any,
    /// One whose name contains this text, whatever its case.
    Named(String),
}

impl fmt::Display for AdapterChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hardware => f.write_str("hardware"),
            Self::Software => f.write_str("software"),
            Self::Any => f.write_str("usable"),
            Self::Named(name) => write!(f, "matching (`{name}`)"),
        }
    }
}

impl AdapterChoice {
    fn fits(&self, info: &AdapterInfo) -> bool {
        match self {
            Self::Hardware => info.kind != AdapterKind::Software,
            Self::Software => info.kind == AdapterKind::Software,
            Self::Any => true,
            Self::Named(name) => info.name.to_lowercase().contains(&name.to_lowercase()),
        }
    }
}

/// Every adapter that can run compute shaders, in the order they are tried.
#[must_use]
pub fn adapters() -> Vec<AdapterInfo> {
    enumerate().into_iter().map(|(info, _)| info).collect()
}

/// The adapter to open.
pub(super) fn pick(choice: &AdapterChoice) -> Result<(AdapterInfo, wgpu::Adapter), GpuError> {
    let all = enumerate();
    let found = all.iter().map(|(info, _)| info.name.clone()).collect();
    all.into_iter()
        .find(|(info, _)| choice.fits(info))
        .ok_or_else(|| GpuError::NoAdapter {
            choice: choice.clone(),
            found,
        })
}

fn enumerate() -> Vec<(AdapterInfo, wgpu::Adapter)> {
    let backends = wgpu::Backends::VULKAN | wgpu::Backends::METAL | wgpu::Backends::DX12;
    if !wgpu::Instance::enabled_backend_features().intersects(backends) {
        return Vec::new();
    }
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
        backends,
        flags: wgpu::InstanceFlags::empty(),
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    });
    let mut all: Vec<_> = pollster::block_on(instance.enumerate_adapters(backends))
        .into_iter()
        .filter(|adapter| {
            let flags = adapter.get_downlevel_capabilities().flags;
            flags.contains(wgpu::DownlevelFlags::COMPUTE_SHADERS)
        })
        .map(|adapter| (describe(&adapter), adapter))
        .collect();
    all.sort_by_key(|(info, _)| info.kind);
    all
}

fn describe(adapter: &wgpu::Adapter) -> AdapterInfo {
    let info = adapter.get_info();
    let limits = adapter.limits();
    AdapterInfo {
        name: info.name,
        backend: info.backend.to_string(),
        kind: match info.device_type {
            wgpu::DeviceType::DiscreteGpu => AdapterKind::Discrete,
            wgpu::DeviceType::IntegratedGpu => AdapterKind::Integrated,
            wgpu::DeviceType::VirtualGpu => AdapterKind::Virtual,
            wgpu::DeviceType::Cpu => AdapterKind::Software,
            wgpu::DeviceType::Other => AdapterKind::Other,
        },
        driver: format!("{} {}", info.driver, info.driver_info)
            .trim()
            .to_owned(),
        max_buffer_bytes: limits.max_buffer_size,
        max_binding_bytes: limits.max_storage_buffer_binding_size,
        max_storage_buffers: limits.max_storage_buffers_per_shader_stage,
        max_workgroups: limits.max_compute_workgroups_per_dimension,
    }
}

#[cfg(test)]
mod tests {
    use super::{AdapterChoice, AdapterInfo, AdapterKind};

    #[test]
    fn choices_fit_kinds_and_names() {
        let info = |name: &str, kind| AdapterInfo {
            name: name.to_owned(),
            backend: "vulkan".to_owned(),
            kind,
            driver: String::new(),
            max_buffer_bytes: 0,
            max_binding_bytes: 0,
            max_storage_buffers: 0,
            max_workgroups: 0,
        };
        let card = info("Example 3000", AdapterKind::Discrete);
        let soft = info("llvmpipe (LLVM 15)", AdapterKind::Software);
        assert!(AdapterChoice::Hardware.fits(&card) && !AdapterChoice::Hardware.fits(&soft));
        assert!(!AdapterChoice::Software.fits(&card) && AdapterChoice::Software.fits(&soft));
        assert!(AdapterChoice::Any.fits(&card) && AdapterChoice::Any.fits(&soft));
        let named = AdapterChoice::Named("LLVMpipe".to_owned());
        assert!(!named.fits(&card) && named.fits(&soft));
    }
}
