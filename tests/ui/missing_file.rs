use rheobase::equations::native::NativeComponent;
use rheobase::neuron;

const WRONG: NativeComponent = neuron!(file = "no/such.rheo");

fn main() {}
