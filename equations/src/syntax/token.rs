//! Tokens.

use crate::diagnostic::Span;

/// What a token is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// Name or word.
    Word,
    /// Number, without sign.
    Number,
    /// `"…"`.
    Text,
    /// End of a statement.
    Newline,
    /// End of the text.
    End,
    /// Something already reported.
    Bad,
    /// `(`
    Open,
    /// `)`
    Close,
    /// `[`
    OpenBracket,
    /// `]`
    CloseBracket,
    /// `,`
    Comma,
    /// `:`
    Colon,
    /// `+`
    Plus,
    /// `-`
    Minus,
    /// `*`
    Star,
    /// `/`
    Slash,
    /// `^` or `**`
    Caret,
    /// `=`
    Assign,
    /// `+=`
    PlusAssign,
    /// `-=`
    MinusAssign,
    /// `*=`
    StarAssign,
    /// `/=`
    SlashAssign,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
}

impl Kind {
    /// How to name it where it was expected.
    pub(crate) fn expectation(self) -> &'static str {
        match self {
            Self::Word => "a name",
            Self::Number => "a number",
            Self::Text => "a documentation string",
            Self::Newline => "the end of the line",
            Self::End => "the end of the text",
            Self::Bad => "nothing",
            Self::Open => "`(`",
            Self::Close => "`)`",
            Self::OpenBracket => "`[`",
            Self::CloseBracket => "`]`",
            Self::Comma => "`,`",
            Self::Colon => "`:`",
            Self::Plus => "`+`",
            Self::Minus => "`-`",
            Self::Star => "`*`",
            Self::Slash => "`/`",
            Self::Caret => "`^`",
            Self::Assign => "`=`",
            Self::PlusAssign => "`+=`",
            Self::MinusAssign => "`-=`",
            Self::StarAssign => "`*=`",
            Self::SlashAssign => "`/=`",
            Self::Less => "`<`",
            Self::LessEqual => "`<=`",
            Self::Greater => "`>`",
            Self::GreaterEqual => "`>=`",
            Self::Equal => "`==`",
            Self::NotEqual => "`!=`",
        }
    }

    /// Whether a line that ends with this token goes on below.
    pub(crate) fn continues_line(self) -> bool {
        !matches!(
            self,
            Self::Word
                | Self::Number
                | Self::Text
                | Self::Newline
                | Self::End
                | Self::Bad
                | Self::Close
                | Self::CloseBracket
        )
    }
}

/// A token and where it stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) span: Span,
}

impl Token {
    /// How to name it where it was found.
    pub(crate) fn description(self, text: &str) -> String {
        match self.kind {
            Kind::Word => format!("`{}`", self.span.of(text)),
            Kind::Number => "a number".to_owned(),
            other => other.expectation().to_owned(),
        }
    }
}
