//! Where models compute and points are scored: what was asked for, and what this build and this machine have.

mod scorer;

pub use scorer::DeviceScorer;

use candle_core::Device;
use std::fmt;
use std::sync::Once;

/// The device that was asked for is not to be had, or does not do its work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DeviceError(pub String);

/// The device asked for on the command line or in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeviceChoice {
    /// The first CUDA device where there is one, else the processor.
    #[default]
    Auto,
    Cpu,
    /// The CUDA device of this number, or an error: never a silent fall-back.
    Cuda(usize),
}

impl DeviceChoice {
    /// Reads `auto`, `cpu`, `cuda` (the first one) or `cuda:N`.
    ///
    /// # Errors
    /// [`DeviceError`] for anything else.
    pub fn parse(text: &str) -> Result<Self, DeviceError> {
        match text.trim() {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            other => match other.strip_prefix("cuda:").map(str::parse) {
                Some(Ok(ordinal)) => Ok(Self::Cuda(ordinal)),
                _ => Err(DeviceError(format!("the device {text:?} is not one of auto, cpu, cuda, cuda:N"))),
            },
        }
    }

    /// Opens the device.
    ///
    /// # Errors
    /// [`DeviceError`] where CUDA is asked for by name and the build or the machine has none.
    pub fn open(self) -> Result<Device, DeviceError> {
        match self {
            Self::Cpu => Ok(Device::Cpu),
            Self::Cuda(ordinal) => open_cuda(ordinal),
            Self::Auto => Ok(open_cuda(0).unwrap_or_else(fall_back)),
        }
    }

    /// Opens the device and gives its name: `cpu`, `cuda:0`, …
    ///
    /// # Errors
    /// As [`DeviceChoice::open`].
    pub fn resolve(self) -> Result<String, DeviceError> {
        self.open().map(|device| name_of(&device))
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(ordinal) => write!(f, "cuda:{ordinal}"),
        }
    }
}

/// `cpu`, `cuda:0`, …: the name that models and the log give.
pub fn name_of(device: &Device) -> String {
    match device.location() {
        candle_core::DeviceLocation::Cpu => "cpu".into(),
        candle_core::DeviceLocation::Cuda { gpu_id } => format!("cuda:{gpu_id}"),
        candle_core::DeviceLocation::Metal { gpu_id } => format!("metal:{gpu_id}"),
    }
}

/// The processor, and in a build for GPUs, where one was to be expected, a line of the log that says so and why; once, since every
/// model that is loaded asks.
fn fall_back(why: DeviceError) -> Device {
    static SAID: Once = Once::new();
    if cfg!(feature = "cuda") {
        SAID.call_once(|| tracing::info!("models run on the processor: {why}"));
    }
    Device::Cpu
}

#[cfg(not(feature = "cuda"))]
fn open_cuda(ordinal: usize) -> Result<Device, DeviceError> {
    Err(DeviceError(format!(
        "cuda:{ordinal} was asked for, but this build has no CUDA; choose the device auto or cpu, \
         or build with the feature `cuda`"
    )))
}

/// A build whose CUDA libraries are opened at first use panics where one is absent or lacks a function: what can be asked before is
/// asked, and a panic is caught for the rest.
#[cfg(feature = "cuda")]
fn open_cuda(ordinal: usize) -> Result<Device, DeviceError> {
    let error =
        |why: String| DeviceError(format!("cuda:{ordinal} could not be opened: {why}; choose the device auto or cpu"));
    if let Some(library) = missing_library() {
        return Err(error(format!("{library} was not found on this machine")));
    }
    let device = match std::panic::catch_unwind(|| Device::new_cuda(ordinal)) {
        Ok(Ok(device)) => device,
        Ok(Err(why)) => return Err(error(why.to_string())),
        Err(_) => return Err(error("CUDA's libraries on this machine are too old".into())),
    };
    // Products in `f32`, those of attention above all, run on the tensor cores.
    candle_core::cuda::set_gemm_reduced_precision_f32(true);
    Ok(device)
}

/// The first of CUDA's libraries that candle would miss. The driver comes first: it is the cheapest to look for and the likeliest
/// to be absent.
#[cfg(all(feature = "cuda", cuda_at_first_use))]
#[expect(unsafe_code, reason = "opening a shared library runs its start-up code; these are CUDA's own")]
fn missing_library() -> Option<&'static str> {
    use candle_core::cuda_backend::cudarc::{cublas, curand, driver};
    // SAFETY: the libraries are opened by the names that they are about to be opened by anyway.
    unsafe {
        match () {
            () if !driver::sys::is_culib_present() => Some("NVIDIA's driver (libcuda)"),
            () if !cublas::sys::is_culib_present() => Some("cuBLAS (libcublas)"),
            () if !curand::sys::is_culib_present() => Some("cuRAND (libcurand)"),
            () => None,
        }
    }
}

/// A program that is linked with the libraries does not start without them.
#[cfg(all(feature = "cuda", not(cuda_at_first_use)))]
fn missing_library() -> Option<&'static str> {
    None
}

/// What tests of device code run on: candle's processor, or what `CLIENTELE_TEST_DEVICE` names, as `cuda:0`. Products of `f32` are those of
/// `f32` there, so that laws hold as closely as on the processor, or TF32's. That is a setting of the whole process.
#[cfg(test)]
pub(crate) fn for_tests(tf32: bool) -> Device {
    let named = std::env::var("CLIENTELE_TEST_DEVICE").unwrap_or_else(|_| "cpu".into());
    let device = DeviceChoice::parse(&named).and_then(DeviceChoice::open);
    #[cfg(feature = "cuda")]
    candle_core::cuda::set_gemm_reduced_precision_f32(tf32);
    #[cfg(not(feature = "cuda"))]
    let _ = tf32;
    device.expect("CLIENTELE_TEST_DEVICE is a device of this machine")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_names_are_read_and_written_back() {
        for (text, choice) in [
            ("auto", DeviceChoice::Auto),
            ("cpu", DeviceChoice::Cpu),
            ("cuda:0", DeviceChoice::Cuda(0)),
            ("cuda:3", DeviceChoice::Cuda(3)),
        ] {
            assert_eq!(DeviceChoice::parse(text).unwrap(), choice);
            assert_eq!(choice.to_string(), text);
        }
        assert_eq!(DeviceChoice::parse("cuda").unwrap(), DeviceChoice::Cuda(0));
    }

    #[test]
    fn anything_else_is_refused_with_the_list_of_what_is_known() {
        for text in ["", "gpu", "cuda:", "cuda:-1", "cuda:x", "CPU ", "metal"] {
            let error = DeviceChoice::parse(text).unwrap_err().to_string();
            assert!(error.contains("auto, cpu, cuda, cuda:N"), "{text:?}: {error}");
        }
    }

    #[test]
    fn auto_and_cpu_always_open() {
        assert!(DeviceChoice::Auto.open().is_ok());
        assert_eq!(name_of(&DeviceChoice::Cpu.open().unwrap()), "cpu");
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn cuda_in_a_build_without_it_says_so() {
        let error = DeviceChoice::Cuda(1).open().unwrap_err();
        assert!(error.0.contains("this build has no CUDA"), "{error}");
    }
}
