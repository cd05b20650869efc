//! Sets of names, as something that a scan can ask of each row.

use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray};
use arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// The function `name(text)`: whether a text is one of `names`, or a name below one. A null is not.
pub(crate) fn at_or_below(name: &str, names: &[&str]) -> ScalarUDF {
    ScalarUDF::from(AtOrBelow {
        name: name.to_owned(),
        names: Arc::new(names.iter().map(|name| (*name).to_owned()).collect()),
        signature: Signature::exact(vec![DataType::Utf8], Volatility::Immutable),
    })
}

#[derive(Debug)]
struct AtOrBelow {
    name: String,
    names: Arc<HashSet<String>>,
    signature: Signature,
}

impl AtOrBelow {
    fn holds(&self, name: &str) -> bool {
        let mut rest = name;
        loop {
            if self.names.contains(rest) {
                return true;
            }
            let Some((_, above)) = rest.split_once('.') else { return false };
            rest = above;
        }
    }
}

impl PartialEq for AtOrBelow {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && Arc::ptr_eq(&self.names, &other.names)
    }
}

impl Eq for AtOrBelow {}

impl Hash for AtOrBelow {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.names).hash(state);
    }
}

impl ScalarUDFImpl for AtOrBelow {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let texts = ColumnarValue::values_to_arrays(&arguments.args)?;
        let holds = |text: Option<&str>| text.is_some_and(|text| self.holds(text));
        let answer: Vec<bool> = texts[0].as_string::<i32>().iter().map(holds).collect();
        Ok(ColumnarValue::Array(Arc::new(BooleanArray::from(answer))))
    }
}
