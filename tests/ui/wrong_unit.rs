use rheobase::equations::native::NativeComponent;
use rheobase::neuron;

const WRONG: NativeComponent = neuron!(
    "
neuron wrong
  parameter tau = 10 ms
  dv/dt = -v/tau + 3 ms : mV
  spike when v >= 1 mV, reset v = 0 mV
"
);

fn main() {}
