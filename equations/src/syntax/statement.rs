//! Statements.

use super::ast::{
    Argument, Assignment, Choice, Detached, Effect, Equation, Expression, Infix, Input, Name,
    Output, Parameter, Spike, State, Statement, Subexpression, Surrogate, UnitNote, Update,
};
use super::parser::{Parsed, Parser};
use super::token::Kind;
use super::words;
use crate::diagnostic::{Problem, Span, nearest};

impl<'a> Parser<'a, '_> {
    /// One statement, up to the end of its line. `parameter` gives several.
    pub(super) fn statement(&mut self) -> Parsed<Vec<Statement<'a>>> {
        let one = |statement| vec![statement];
        match self.peek_word(0) {
            "option" => self.option().map(one),
            "parameter" => self.parameters(),
            "state" => self.state().map(one),
            "update" => self.update().map(one),
            "input" => self.input().map(one),
            "output" => self.output().map(one),
            "spike" => self.spike().map(one),
            "integrator" => self.integrator().map(one),
            "" => self.expected("a statement"),
            _ if self.peek(1) == Kind::Slash => self.equation().map(one),
            _ if self.peek(1) == Kind::Assign => self.subexpression().map(one),
            word => self.unknown_statement(word),
        }
    }

    fn unknown_statement<T>(&mut self, word: &'a str) -> Parsed<T> {
        let span = self.token().span;
        if matches!(
            self.peek(1),
            Kind::PlusAssign | Kind::MinusAssign | Kind::StarAssign | Kind::SlashAssign
        ) {
            let operator = self.tokens[self.at + 1].span.of(self.text);
            let problem = Problem::new(span, "a discrete update starts with `update`")
                .label(format!("expected `update {word} {operator} …`"));
            return self.fail(problem);
        }
        if words::is_clause(word) {
            let problem = Problem::new(span, format!("`{word}` is a clause of `spike`"))
                .label("not a statement of its own")
                .help(format!(
                    "write `spike when CONDITION, {word} …` in one statement"
                ));
            return self.fail(problem);
        }
        let problem = Problem::new(span, format!("expected a statement, found `{word}`"))
            .label("expected `parameter`, `dx/dt = …`, `input`, `spike`, …");
        let problem = match nearest(word, words::STATEMENTS.iter().copied()) {
            Some(best) => problem.help(format!("did you mean `{best}`?")),
            None if matches!(word, "threshold" | "fire") => {
                problem.help("write `spike when CONDITION, reset …`")
            }
            None if matches!(word, "param" | "params" | "parameters") => {
                problem.help("did you mean `parameter`?")
            }
            None => problem,
        };
        self.fail(problem)
    }

    /// `option name = first or second`.
    fn option(&mut self) -> Parsed<Statement<'a>> {
        self.advance();
        let name = self.new_name("the name of an option")?;
        self.expect(Kind::Assign)?;
        let mut values = vec![self.any_word("`true`, `false` or the name of a choice")?];
        while self.eat_word("or").is_some() {
            values.push(self.any_word("the name of a choice")?);
        }
        let doc = self.doc();
        Ok(Statement::Option(Choice { name, values, doc }))
    }

    // parameter

    fn parameters(&mut self) -> Parsed<Vec<Statement<'a>>> {
        self.advance();
        let mut list = vec![Statement::Parameter(self.parameter()?)];
        while self.eat(Kind::Comma) {
            list.push(Statement::Parameter(self.parameter()?));
        }
        Ok(list)
    }

    fn parameter(&mut self) -> Parsed<Parameter<'a>> {
        let name = self.new_name("the name of a parameter")?;
        if self.kind() == Kind::Colon {
            let problem = Problem::new(
                name.span,
                format!("parameter `{}` has no default", name.text),
            )
            .label("expected `= VALUE UNIT` after the name");
            let unit = match self.peek_word(1) {
                "" => "mV",
                written => written,
            };
            return self.fail(problem.help(format!(
                "write `parameter {} = 1 {unit}`: the default carries the unit",
                name.text
            )));
        }
        self.expect(Kind::Assign)?;
        let default = self.expression()?;
        if self.kind() == Kind::Colon {
            let problem = Problem::new(self.token().span, "a parameter has no unit of its own")
                .label("expected the end of the parameter")
                .help("the default carries the unit: `parameter tau = 10 ms`");
            return self.fail(problem);
        }
        let mut parameter = Parameter {
            name,
            default,
            bounds: None,
            learnable: false,
            per_neuron: false,
            doc: String::new(),
        };
        self.parameter_modifiers(&mut parameter)?;
        parameter.doc = self.doc();
        Ok(parameter)
    }

    fn parameter_modifiers(&mut self, parameter: &mut Parameter<'a>) -> Parsed<()> {
        loop {
            let word = self.token().span;
            let repeated = match self.peek_word(0) {
                "in" => {
                    self.advance();
                    parameter.bounds.replace(self.bounds()?).is_some()
                }
                "learnable" => {
                    self.advance();
                    std::mem::replace(&mut parameter.learnable, true)
                }
                "per" => {
                    self.advance();
                    if self.eat_word("neuron").is_none() {
                        return self.expected("`neuron` after `per`");
                    }
                    std::mem::replace(&mut parameter.per_neuron, true)
                }
                _ => return Ok(()),
            };
            if repeated {
                let text = word.of(self.text);
                return self.fail(
                    Problem::new(word, format!("`{text}` is given twice")).label("the second one"),
                );
            }
        }
    }

    fn bounds(&mut self) -> Parsed<(Expression, Expression)> {
        self.expect(Kind::OpenBracket)?;
        let low = self.expression()?;
        self.expect(Kind::Comma)?;
        let high = self.expression()?;
        self.expect(Kind::CloseBracket)?;
        Ok((low, high))
    }

    // equations, states, updates, subexpressions

    /// `dx/dt = …`.
    fn equation(&mut self) -> Parsed<Statement<'a>> {
        let name = self.derivative()?;
        self.expect(Kind::Assign)?;
        let rate = self.expression()?;
        if self.kind() != Kind::Colon {
            return self.missing_unit(name);
        }
        let unit = self.unit_note()?;
        let initial = self.initial()?;
        let unless_refractory = self.unless_refractory()?;
        let doc = self.doc();
        Ok(Statement::Equation(Equation {
            name,
            rate,
            unit,
            initial,
            unless_refractory,
            doc,
        }))
    }

    /// `dx/dt`; gives `x`.
    fn derivative(&mut self) -> Parsed<Name<'a>> {
        let word = self.any_word("a derivative such as `dv/dt`")?;
        self.advance();
        let per = self.any_word("`dt`")?;
        let whole = word.span.to(per.span);
        let variable = word.text.strip_prefix('d').filter(|v| {
            v.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && v.is_ascii()
        });
        let Some(variable) = variable.filter(|_| per.text == "dt") else {
            let problem = Problem::new(whole, "expected a derivative")
                .label("expected `dx/dt` for a state variable `x`");
            return self.fail(problem);
        };
        if words::is_reserved(variable) {
            let problem = Problem::new(whole, format!("`{variable}` is a reserved word"))
                .label("expected the derivative of a state variable");
            return self.fail(problem);
        }
        Ok(Name {
            text: variable,
            span: Span::new(word.span.start + 1, word.span.end),
        })
    }

    fn missing_unit<T>(&mut self, name: Name<'a>) -> Parsed<T> {
        let token = self.token();
        if token.kind != Kind::Newline {
            return self.expected("an operator or `: UNIT`");
        }
        let end = self.previous_end();
        let problem = Problem::new(Span::new(end, end), format!("`{}` has no unit", name.text))
            .label("expected `: UNIT` here")
            .help("write `: mV`, or `: 1` for a pure number");
        self.fail(problem)
    }

    /// `= expression`, if there.
    fn initial(&mut self) -> Parsed<Option<Expression>> {
        if self.eat(Kind::Assign) {
            self.expression().map(Some)
        } else {
            Ok(None)
        }
    }

    /// `(unless refractory)`, if there.
    fn unless_refractory(&mut self) -> Parsed<Option<Span>> {
        if self.kind() != Kind::Open {
            return Ok(None);
        }
        let start = self.advance().span;
        for word in ["unless", "refractory"] {
            if self.eat_word(word).is_none() {
                return self.expected("`(unless refractory)`");
            }
        }
        let end = self.expect(Kind::Close)?.span;
        Ok(Some(start.to(end)))
    }

    fn state(&mut self) -> Parsed<Statement<'a>> {
        self.advance();
        let name = self.new_name("the name of a state variable")?;
        let mut initial = self.initial()?;
        if self.kind() != Kind::Colon {
            return self.missing_unit(name);
        }
        let unit = self.unit_note()?;
        if initial.is_none() {
            initial = self.initial()?;
        }
        let doc = self.doc();
        Ok(Statement::State(State {
            name,
            initial,
            unit,
            doc,
        }))
    }

    fn update(&mut self) -> Parsed<Statement<'a>> {
        self.advance();
        let assignment = self.assignment()?;
        let declares = if self.kind() == Kind::Colon {
            Some((self.unit_note()?, self.initial()?))
        } else {
            None
        };
        let unless_refractory = self.unless_refractory()?;
        let doc = self.doc();
        Ok(Statement::Update(Update {
            assignment,
            declares,
            unless_refractory,
            doc,
        }))
    }

    fn subexpression(&mut self) -> Parsed<Statement<'a>> {
        let name = self.new_name("a name")?;
        self.expect(Kind::Assign)?;
        let value = self.expression()?;
        let unit = self.optional_unit()?;
        let _ = self.doc();
        Ok(Statement::Subexpression(Subexpression {
            name,
            value,
            unit,
        }))
    }

    fn optional_unit(&mut self) -> Parsed<Option<UnitNote>> {
        if self.kind() == Kind::Colon {
            self.unit_note().map(Some)
        } else {
            Ok(None)
        }
    }

    /// `x = value`, `x += value`, ….
    fn assignment(&mut self) -> Parsed<Assignment<'a>> {
        let target = self.new_name("a state variable")?;
        let operator = match self.kind() {
            Kind::Assign => None,
            Kind::PlusAssign => Some(Infix::Add),
            Kind::MinusAssign => Some(Infix::Sub),
            Kind::StarAssign => Some(Infix::Mul),
            Kind::SlashAssign => Some(Infix::Div),
            Kind::Equal => {
                let problem = Problem::new(self.token().span, "`==` compares")
                    .label("expected `=` for an assignment");
                return self.fail(problem);
            }
            _ => return self.expected("`=`, `+=`, `-=`, `*=` or `/=`"),
        };
        self.advance();
        let value = self.expression()?;
        let span = Span::new(target.span.start, self.previous_end());
        Ok(Assignment {
            target,
            operator,
            value,
            span,
        })
    }

    /// Assignments separated by commas, up to a comma before a clause of `spike`.
    fn assignments(&mut self) -> Parsed<Vec<Assignment<'a>>> {
        let mut list = vec![self.assignment()?];
        while self.kind() == Kind::Comma && !words::is_clause(self.peek_word(1)) {
            self.advance();
            list.push(self.assignment()?);
        }
        Ok(list)
    }

    // ports

    fn input(&mut self) -> Parsed<Statement<'a>> {
        self.advance();
        let name = self.new_name("the name of an input port")?;
        let (unit, effect) = if self.kind() == Kind::Open {
            let (unit, effect) = self.effect()?;
            (unit, Some(effect))
        } else if self.kind() == Kind::Colon {
            (self.unit_note()?, None)
        } else {
            return self.expected("`: UNIT` or `(w : UNIT): EFFECT`");
        };
        let unless_refractory = self.unless_refractory()?;
        let doc = self.doc();
        Ok(Statement::Input(Input {
            name,
            unit,
            effect,
            unless_refractory,
            doc,
        }))
    }

    /// `(w : unit) before: x += w, …`.
    fn effect(&mut self) -> Parsed<(UnitNote, Effect<'a>)> {
        self.advance();
        let arriving = self.new_name("a name for what arrives")?;
        let unit = self.unit_note()?;
        self.expect(Kind::Close)?;
        let before = match self.peek_word(0) {
            word @ ("before" | "after") => {
                self.advance();
                word == "before"
            }
            _ => false,
        };
        if self.kind() != Kind::Colon {
            return self.expected("`before`, `after` or `:` and what the input does");
        }
        self.advance();
        let assignments = self.assignments()?;
        Ok((
            unit,
            Effect {
                arriving,
                before,
                assignments,
            },
        ))
    }

    fn output(&mut self) -> Parsed<Statement<'a>> {
        self.advance();
        let name = self.new_name("the name of an output port")?;
        self.expect(Kind::Assign)?;
        let value = self.expression()?;
        let unit = self.optional_unit()?;
        let _ = self.doc();
        Ok(Statement::Output(Output { name, value, unit }))
    }

    // spike

    fn spike(&mut self) -> Parsed<Statement<'a>> {
        let start = self.advance().span;
        if self.eat_word("when").is_none() {
            return self.expected("`when` and a condition");
        }
        let mut spike = Spike {
            span: start,
            condition: self.expression()?,
            reset: Vec::new(),
            then: Vec::new(),
            refractory: None,
            surrogate: None,
            detached: None,
        };
        while self.eat(Kind::Comma) {
            self.clause(&mut spike)?;
        }
        if words::is_clause(self.peek_word(0)) {
            let problem = Problem::new(
                self.token().span,
                "clauses of `spike` are separated by commas",
            )
            .label("expected `,` before this");
            return self.fail(problem);
        }
        let _ = self.doc();
        spike.span = Span::new(start.start, self.previous_end());
        Ok(Statement::Spike(Box::new(spike)))
    }

    fn clause(&mut self, spike: &mut Spike<'a>) -> Parsed<()> {
        let word = self.token().span;
        let repeated = match self.peek_word(0) {
            "reset" => {
                self.advance();
                let assignments = self.assignments()?;
                !std::mem::replace(&mut spike.reset, assignments).is_empty()
            }
            "then" => {
                self.advance();
                let assignments = self.assignments()?;
                !std::mem::replace(&mut spike.then, assignments).is_empty()
            }
            "refractory" => {
                self.advance();
                spike.refractory.replace(self.expression()?).is_some()
            }
            "surrogate" => {
                self.advance();
                spike.surrogate.replace(self.surrogate()?).is_some()
            }
            "detached" => {
                self.advance();
                let condition = match self.eat_word("when") {
                    Some(_) => Some(self.expression()?),
                    None => None,
                };
                spike.detached.replace(Detached { condition }).is_some()
            }
            other => return self.unknown_clause(other),
        };
        if !repeated {
            return Ok(());
        }
        let text = word.of(self.text);
        self.fail(Problem::new(word, format!("`{text}` is given twice")).label("the second one"))
    }

    fn unknown_clause<T>(&mut self, word: &'a str) -> Parsed<T> {
        const EXPECTED: &str = "`reset`, `then`, `refractory`, `surrogate` or `detached`";
        if word.is_empty() {
            return self.expected(EXPECTED);
        }
        let problem = Problem::new(
            self.token().span,
            format!("`{word}` is no clause of `spike`"),
        )
        .label(format!("expected {EXPECTED}"))
        .suggest(word, words::CLAUSES.iter().copied());
        self.fail(problem)
    }

    /// `name(arguments)`, or `(margin) = slope primitive curve`.
    pub(super) fn surrogate(&mut self) -> Parsed<Surrogate<'a>> {
        if self.kind() == Kind::Open {
            return self.own_surrogate();
        }
        let name = self.any_word("the name of a surrogate")?;
        let mut arguments = Vec::new();
        if self.eat(Kind::Open) {
            while self.kind() != Kind::Close {
                arguments.push(self.argument()?);
                if !self.eat(Kind::Comma) {
                    break;
                }
            }
            if self.kind() != Kind::Close {
                return self.expected("`,` or `)`");
            }
            self.advance();
        }
        Ok(Surrogate::Named { name, arguments })
    }

    fn own_surrogate(&mut self) -> Parsed<Surrogate<'a>> {
        self.advance();
        let margin = self.new_name("a name for the distance to the threshold")?;
        self.expect(Kind::Close)?;
        self.expect(Kind::Assign)?;
        let slope = self.expression()?;
        let primitive = match self.eat_word("primitive") {
            Some(_) => Some(self.expression()?),
            None => None,
        };
        Ok(Surrogate::Own {
            margin,
            slope,
            primitive,
        })
    }

    fn argument(&mut self) -> Parsed<Argument<'a>> {
        let name = if self.peek(1) == Kind::Assign {
            let name = self.any_word("the name of an argument")?;
            self.advance();
            Some(name)
        } else {
            None
        };
        Ok(Argument {
            name,
            value: self.expression()?,
        })
    }

    fn integrator(&mut self) -> Parsed<Statement<'a>> {
        self.advance();
        self.any_word("the name of an integrator")
            .map(Statement::Integrator)
    }
}
