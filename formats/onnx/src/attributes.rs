//! The attributes of one node, read by name and type. What no operator asked for is an error.

use crate::Problem;
use crate::schema::attribute_proto::AttributeType;
use crate::schema::{AttributeProto, NodeProto, TensorProto};
use std::cell::RefCell;

/// The attributes of a node; remembers which have been asked for.
pub(crate) struct Attributes<'a> {
    all: &'a [AttributeProto],
    asked: RefCell<Vec<&'static str>>,
}

impl<'a> Attributes<'a> {
    pub(crate) fn new(node: &'a NodeProto) -> Result<Self, Problem> {
        // No operator has a third as many; comparing each with each must not take long.
        if node.attribute.len() > 64 {
            return Err(Problem::Other(format!("{} attributes are too many", node.attribute.len())));
        }
        for (k, attribute) in node.attribute.iter().enumerate() {
            if node.attribute[..k].iter().any(|a| a.name() == attribute.name()) {
                return Err(Problem::Other(format!("attribute \"{}\" is given twice", attribute.name())));
            }
        }
        Ok(Self { all: &node.attribute, asked: RefCell::default() })
    }

    /// Errors if an attribute has not been asked for.
    pub(crate) fn finish(&self) -> Result<(), Problem> {
        let asked = self.asked.borrow();
        match self.all.iter().find(|a| !asked.contains(&a.name())) {
            Some(unknown) => Err(Problem::UnknownAttribute(unknown.name().to_owned())),
            None => Ok(()),
        }
    }

    fn find(&self, name: &'static str, expected: AttributeType) -> Result<Option<&'a AttributeProto>, Problem> {
        self.asked.borrow_mut().push(name);
        let Some(found) = self.all.iter().find(|a| a.name() == name) else { return Ok(None) };
        if found.ref_attr_name.as_ref().is_some_and(|r| !r.is_empty()) {
            return Err(Problem::attribute(name, "refers to an attribute of a function"));
        }
        // Before IR version 2 the type was not stored; version 3 is the oldest that is read.
        if found.r#type != Some(expected as i32) {
            let expected = expected.as_str_name().to_lowercase();
            return Err(Problem::attribute(name, format!("expected the type {expected}")));
        }
        Ok(Some(found))
    }

    pub(crate) fn int(&self, name: &'static str, default: i64) -> Result<i64, Problem> {
        Ok(self.optional_int(name)?.unwrap_or(default))
    }

    pub(crate) fn optional_int(&self, name: &'static str) -> Result<Option<i64>, Problem> {
        Ok(self.find(name, AttributeType::Int)?.map(AttributeProto::i))
    }

    /// An integer that stands for a truth value.
    pub(crate) fn flag(&self, name: &'static str, default: bool) -> Result<bool, Problem> {
        match self.int(name, i64::from(default))? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(Problem::attribute(name, format!("{other} is neither 0 nor 1"))),
        }
    }

    pub(crate) fn ints(&self, name: &'static str) -> Result<Option<&'a [i64]>, Problem> {
        Ok(self.find(name, AttributeType::Ints)?.map(|a| a.ints.as_slice()))
    }

    /// A finite number.
    pub(crate) fn float(&self, name: &'static str, default: f32) -> Result<f32, Problem> {
        match self.find(name, AttributeType::Float)?.map_or(default, AttributeProto::f) {
            v if v.is_finite() => Ok(v),
            v => Err(Problem::attribute(name, format!("{v} is not finite"))),
        }
    }

    pub(crate) fn optional_float(&self, name: &'static str) -> Result<Option<f32>, Problem> {
        Ok(self.find(name, AttributeType::Float)?.map(AttributeProto::f))
    }

    pub(crate) fn floats(&self, name: &'static str) -> Result<Option<&'a [f32]>, Problem> {
        Ok(self.find(name, AttributeType::Floats)?.map(|a| a.floats.as_slice()))
    }

    pub(crate) fn string(&self, name: &'static str, default: &'static str) -> Result<&'a str, Problem> {
        match self.find(name, AttributeType::String)? {
            None => Ok(default),
            Some(a) => std::str::from_utf8(a.s()).map_err(|_| Problem::attribute(name, "is not UTF-8")),
        }
    }

    pub(crate) fn tensor(&self, name: &'static str) -> Result<Option<&'a TensorProto>, Problem> {
        match self.find(name, AttributeType::Tensor)? {
            None => Ok(None),
            Some(AttributeProto { t: Some(tensor), .. }) => Ok(Some(tensor)),
            Some(_) => Err(Problem::attribute(name, "holds no tensor")),
        }
    }
}
