"""Quantities and expressions of network files, as numbers in base units (ms, mV, pA, pF, nS, 1/ms)."""
import ast
import math
import re

TO_BASE_UNIT = {
    "s": 1e3, "ms": 1.0, "us": 1e-3,
    "V": 1e3, "mV": 1.0,
    "nA": 1e3, "pA": 1.0,
    "nF": 1e3, "pF": 1.0,
    "uS": 1e3, "nS": 1.0,
    "kHz": 1.0, "Hz": 1e-3,
}
FUNCTIONS = {"round": lambda x: float(math.floor(x + 0.5)), "ln1p": math.log1p, "exp": math.exp,
             "ln": math.log, "sqrt": math.sqrt, "min": min, "max": max}
QUANTITY = re.compile(r"(?<![\w.])(\d+\.?\d*(?:[eE][+-]?\d+)?)\s+(" + "|".join(TO_BASE_UNIT) + r")\b")
OPERATORS = {ast.Add: lambda a, b: a + b, ast.Sub: lambda a, b: a - b, ast.Mult: lambda a, b: a * b,
             ast.Div: lambda a, b: a / b, ast.Pow: lambda a, b: a ** b}


class ExpressionError(Exception):
    """An entry that is no quantity and no expression understood here."""


class Scope:
    """The named parameters of a network file."""

    def __init__(self, texts):
        self.texts = texts
        self.values = {}

    def __call__(self, entry):
        """The value of a number, a quantity or an expression."""
        if isinstance(entry, (int, float)):
            return float(entry)
        if not isinstance(entry, str):
            raise ExpressionError(f"{entry!r}: expected a number or text")
        text = QUANTITY.sub(lambda m: f"({m[1]}*{TO_BASE_UNIT[m[2]]!r})", entry).replace("^", "**")
        try:
            tree = ast.parse(" ".join(text.split()), mode="eval").body
        except SyntaxError as error:
            raise ExpressionError(f"{entry!r}: {error.msg}") from error
        return float(self.evaluate(tree, entry))

    def evaluate(self, node, entry):
        match node:
            case ast.Constant(value=int() | float() as number):
                return number
            case ast.Name(id=name):
                return self.named(name, entry)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self.evaluate(operand, entry)
            case ast.BinOp(left=left, op=operator, right=right) if type(operator) in OPERATORS:
                return OPERATORS[type(operator)](self.evaluate(left, entry), self.evaluate(right, entry))
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in FUNCTIONS:
                return FUNCTIONS[name](*(self.evaluate(a, entry) for a in arguments))
        raise ExpressionError(f"{entry!r}: not understood")

    def named(self, name, entry):
        if name not in self.values:
            if name not in self.texts:
                raise ExpressionError(f"{entry!r}: unknown name {name}")
            self.values[name] = self(self.texts[name])
        return self.values[name]
