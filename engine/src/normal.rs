//! Standard normal numbers from random words, by the inverse of the distribution function.

use rheobase_equations::block::{BlockFunction, Operand};
use rheobase_equations::expand::normal_from_uniform;
use rheobase_equations::ir::{Builder, Slot};
use rheobase_equations::real::Real;

/// Turns words into normal numbers; the same bits on every machine and backend.
pub(crate) struct Normal<R: Real> {
    function: BlockFunction<R>,
    uniforms: Vec<R>,
}

impl<R: Real> Normal<R> {
    /// For arrays of `stride` lanes.
    pub(crate) fn new(stride: usize) -> Self {
        let mut b = Builder::new();
        let u = b.load(Slot::Argument(0));
        let x = normal_from_uniform(&mut b, u, R::PRECISION);
        b.store(Slot::Output(0), x);
        Self {
            function: BlockFunction::new(&b.finish()),
            uniforms: vec![R::ZERO; stride],
        }
    }

    /// One number per word.
    pub(crate) fn fill(&mut self, words: &[u32], out: &mut [R]) {
        crate::random::uniforms(words, &mut self.uniforms);
        let uniforms = &self.uniforms;
        self.function.run(
            out.len(),
            |_| Operand::Array(uniforms),
            &mut [(Slot::Output(0), out)],
        );
    }
}
