//! The rules as equations, for devices.

use super::{Adagrad, Adam, AdamW, RmsProp, Sgd};

/// An `optimizer`, line by line.
struct Text(String);

impl Text {
    fn new(name: &str, parameters: &[(&str, f64)]) -> Self {
        let mut text = Self(format!("optimizer {name}\n"));
        text.line("parameter learning_rate = 0.001");
        text.line("parameter k = 1");
        for (name, value) in parameters {
            text.line(&format!("parameter {name} = {value:?}"));
        }
        text.line("input g : 1");
        text.line("state p = 0 : 1");
        text
    }

    fn line(&mut self, line: &str) {
        self.0.push_str("  ");
        self.0.push_str(line);
        self.0.push('\n');
    }

    fn state(&mut self, name: &str) {
        self.line(&format!("state {name} = 0 : 1"));
    }

    fn lines(mut self, lines: &[&str]) -> String {
        lines.iter().for_each(|line| self.line(line));
        self.0
    }
}

impl Sgd {
    pub(super) fn text(&self) -> String {
        let mut text = Text::new(
            "sgd",
            &[
                ("momentum", self.momentum),
                ("dampening", self.dampening),
                ("weight_decay", self.weight_decay),
            ],
        );
        text.line("decayed = g + weight_decay*p");
        if self.momentum <= 0.0 {
            return text.lines(&["update p = p - learning_rate*decayed"]);
        }
        text.state("momentum_buffer");
        text.line("taken = select(k > 1, 1 - dampening, 1)");
        let step = if self.nesterov {
            "update p = p - learning_rate*(decayed + momentum*momentum_buffer)"
        } else {
            "update p = p - learning_rate*momentum_buffer"
        };
        text.lines(&[
            "update momentum_buffer = momentum*momentum_buffer + taken*decayed",
            step,
        ])
    }
}

impl Adam {
    pub(super) fn text(&self) -> String {
        self.text_as("adam", "g + weight_decay*p", "p")
    }

    /// With gradient and parameter as they enter the update.
    fn text_as(&self, name: &str, gradient: &str, parameter: &str) -> String {
        let mut text = Text::new(
            name,
            &[
                ("beta1", self.beta1),
                ("beta2", self.beta2),
                ("epsilon", self.epsilon),
                ("weight_decay", self.weight_decay),
            ],
        );
        text.state("m");
        text.state("v");
        text.line(&format!("gradient = {gradient}"));
        text.line("update m = m + (1 - beta1)*(gradient - m)");
        text.line("update v = beta2*v + (1 - beta2)*gradient*gradient");
        let square = if self.amsgrad {
            text.state("v_max");
            text.line("update v_max = max(v_max, v)");
            "v_max"
        } else {
            "v"
        };
        let step = "learning_rate/(1 - beta1^k)*m";
        let root = format!("sqrt({square})/sqrt(1 - beta2^k) + epsilon");
        text.lines(&[&format!("update p = {parameter} - {step}/({root})")])
    }
}

impl AdamW {
    pub(super) fn text(&self) -> String {
        let moments = self.moments();
        moments.text_as("adamw", "g", "p*(1 - learning_rate*weight_decay)")
    }
}

impl RmsProp {
    pub(super) fn text(&self) -> String {
        let mut text = Text::new(
            "rmsprop",
            &[
                ("alpha", self.alpha),
                ("epsilon", self.epsilon),
                ("weight_decay", self.weight_decay),
                ("momentum", self.momentum),
            ],
        );
        text.state("v");
        text.line("decayed = g + weight_decay*p");
        text.line("update v = alpha*v + (1 - alpha)*decayed*decayed");
        if self.centered {
            text.state("mean");
            text.line("update mean = mean + (1 - alpha)*(decayed - mean)");
            text.line("deviation = sqrt(v - mean*mean) + epsilon");
        } else {
            text.line("deviation = sqrt(v) + epsilon");
        }
        if self.momentum > 0.0 {
            text.state("momentum_buffer");
            return text.lines(&[
                "update momentum_buffer = momentum*momentum_buffer + decayed/deviation",
                "update p = p - learning_rate*momentum_buffer",
            ]);
        }
        text.lines(&["update p = p - learning_rate*decayed/deviation"])
    }
}

impl Adagrad {
    pub(super) fn text(&self) -> String {
        let mut text = Text::new(
            "adagrad",
            &[
                ("rate_decay", self.rate_decay),
                ("epsilon", self.epsilon),
                ("weight_decay", self.weight_decay),
            ],
        );
        text.state("v");
        text.lines(&[
            "decayed = g + weight_decay*p",
            "update v = v + decayed*decayed",
            "update p = p - learning_rate/(1 + (k - 1)*rate_decay)*decayed/(sqrt(v) + epsilon)",
        ])
    }
}
