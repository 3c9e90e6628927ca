//! The component language of Rheobase: from equations to every product.
