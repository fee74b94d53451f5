//! Where the model computes: what was asked for, and what this build and this machine have.

use super::EmbedError;
use candle_core::Device;
use std::fmt;

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
    /// [`EmbedError::Device`] for anything else.
    pub fn parse(text: &str) -> Result<Self, EmbedError> {
        match text.trim() {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            other => match other.strip_prefix("cuda:").map(str::parse) {
                Some(Ok(ordinal)) => Ok(Self::Cuda(ordinal)),
                _ => Err(EmbedError::Device(format!("the device {text:?} is not one of auto, cpu, cuda, cuda:N"))),
            },
        }
    }

    /// Opens the device.
    ///
    /// # Errors
    /// [`EmbedError::Device`] where CUDA is asked for by name and the build or the machine has none.
    pub fn open(self) -> Result<Device, EmbedError> {
        match self {
            Self::Cpu => Ok(Device::Cpu),
            Self::Cuda(ordinal) => open_cuda(ordinal),
            Self::Auto => Ok(open_cuda(0).unwrap_or(Device::Cpu)),
        }
    }

    /// Opens the device and gives its name: `cpu`, `cuda:0`, …
    ///
    /// # Errors
    /// As [`DeviceChoice::open`].
    pub fn resolve(self) -> Result<String, EmbedError> {
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

/// `cpu`, `cuda:0`, …: the name [`super::ModelInfo`] and the log give.
pub(super) fn name_of(device: &Device) -> String {
    match device.location() {
        candle_core::DeviceLocation::Cpu => "cpu".into(),
        candle_core::DeviceLocation::Cuda { gpu_id } => format!("cuda:{gpu_id}"),
        candle_core::DeviceLocation::Metal { gpu_id } => format!("metal:{gpu_id}"),
    }
}

#[cfg(not(feature = "cuda"))]
fn open_cuda(ordinal: usize) -> Result<Device, EmbedError> {
    Err(EmbedError::Device(format!(
        "cuda:{ordinal} was asked for, but this build has no CUDA; choose the device auto or cpu, \
         or build with the feature `cuda`"
    )))
}

/// A build that looks the CUDA libraries up when they are first used panics where they are absent, so a panic here
/// means "no CUDA on this machine" and is kept off the terminal.
#[cfg(feature = "cuda")]
fn open_cuda(ordinal: usize) -> Result<Device, EmbedError> {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let opened = std::panic::catch_unwind(|| Device::new_cuda(ordinal));
    std::panic::set_hook(hook);
    let why = match opened {
        Ok(Ok(device)) => return Ok(device),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "the CUDA libraries (driver, cuBLAS, cuRAND) were not found".into(),
    };
    Err(EmbedError::Device(format!("cuda:{ordinal} could not be opened: {why}; choose the device auto or cpu")))
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
        assert!(matches!(&error, EmbedError::Device(why) if why.contains("this build has no CUDA")), "{error}");
    }
}
