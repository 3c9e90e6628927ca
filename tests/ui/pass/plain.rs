use rheobase::equations::native::NativeComponent;
use rheobase::neuron;

const PLAIN: NativeComponent = neuron!(
    "
neuron plain
  parameter tau = 10 ms
  dv/dt = -v/tau : mV
  input ex(w : mV): v += w
  spike when v >= 1 mV, reset v = 0 mV
"
);

fn main() {
    assert!(PLAIN.text.contains("plain"));
}
