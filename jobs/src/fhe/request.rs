//! The payload of an encrypted job, read strictly; and the program that it stands for once the inputs' types are known.

use serde_json::Value;

use super::linear_score::LinearScore;
use super::membership::{MAX_ENCRYPTED_SET, SetMembership};
use super::price::Price;
use super::program::{Program, ValueType};
use super::statistics::Statistics;
use super::{
    ClientPublicKey, EncryptedDataUrl, FheAlgorithm, InvalidDataUrl, KeyChoice, KeyId, KeyMode, data_url, maximum,
    source,
};
use crate::field_error::{FieldError, FieldErrors, all_under};
use crate::object::{At, Object};

/// Seconds of computing that an encrypted job may take when it does not say.
pub const DEFAULT_TIMEOUT_SECONDS: u32 = 900;
/// Most seconds of computing that an encrypted job may ask for.
pub const MAX_TIMEOUT_SECONDS: u32 = 3_600;
/// The only scheme.
pub const SCHEME: &str = "tfhe";
/// The only security level, in bits.
pub const SECURITY_LEVEL: i64 = 128;
/// Most inputs that any algorithm takes.
const MAX_COUNT: i64 = super::check::MAX_INPUTS as i64;

/// What to compute, without the inputs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Task {
    Statistics(Statistics),
    LinearScore(LinearScore),
    Maximum,
    SetMembership(SetMembership),
    /// Compiled already: a client's program declares the types of its inputs.
    Program(Program),
}

/// A checked payload of an encrypted job: whoever holds one need not check it again.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EncryptedRequest {
    task: Task,
    data_url: String,
    /// The key that the result is sealed to unless the retrieval names another; network mode.
    pub client_public_key: Option<ClientPublicKey>,
    pub key: KeyChoice,
    /// Seconds of computing after which the job fails.
    pub timeout_seconds: u32,
    /// The type of the inputs, where the client says it.
    pub value_type: Option<ValueType>,
    /// How many inputs there are, where the client says it or the parameters tell.
    pub count: Option<usize>,
}

impl EncryptedRequest {
    /// Checks `payload`, in which integers beyond ±(2^53 − 1) stand as decimal strings.
    ///
    /// # Errors
    /// What is wrong, field by field, with pointers relative to `payload`.
    pub fn parse_payload(payload: &Value) -> Result<Self, Vec<FieldError>> {
        let mut errors = FieldErrors::default();
        let read = Self::read(&At::root(payload), &mut errors);
        let request = errors.or(read)?;
        request.check()?;
        Ok(request)
    }

    fn read(at: &At<'_>, errors: &mut FieldErrors) -> Option<Self> {
        let mut payload = Object::open(at, errors)?;
        let algorithm = payload.required("algorithm").and_then(|at| at.parsed::<FheAlgorithm>(errors));
        let data_url = payload.required("encrypted_data_url").and_then(|at| {
            let url = at.text(errors)?;
            data_url::check(url).map_err(|reason| errors.add(&at.pointer, reason.to_string())).ok()?;
            Some(url.to_owned())
        });
        let public_key = payload.optional("client_public_key").map(|at| at.parsed::<ClientPublicKey>(errors));
        let key = payload.optional("key").map_or(Some(KeyChoice::default()), |at| read_key(&at, errors));
        let parameters = payload.optional("parameters");
        payload.close(errors);
        let parameters = match parameters {
            None => None,
            Some(at) => Some(Object::open(&at, errors)?),
        };
        let parameters = Parameters::read(algorithm?, parameters, errors);
        let client_public_key = match public_key {
            None => None,
            Some(key) => Some(key?),
        };
        let Parameters { task, timeout_seconds, value_type, count } = parameters?;
        Some(Self { task, data_url: data_url?, client_public_key, key: key?, timeout_seconds, value_type, count })
    }

    /// Checks what fields say together: limits of the declared type and count, parameters that no type of inputs fits.
    fn check(&self) -> Result<(), Vec<FieldError>> {
        if let Some((known, count)) = self.known_count().zip(self.count).filter(|(known, count)| known != count) {
            let reason = format!("does not agree with the other parameters: {known}, not {count}");
            return Err(vec![FieldError::new("/parameters/count", reason)]);
        }
        let mut complaint = None;
        for inputs in self.fewest_inputs() {
            match self.compile(&inputs) {
                Ok(_) => return Ok(()),
                Err(errors) => complaint = complaint.or(Some(errors)),
            }
        }
        let declared = match (self.value_type, self.count) {
            (Some(_), None) => "/parameters/value_type",
            _ => "/parameters/count",
        };
        let mut errors = complaint.unwrap_or_else(|| vec![FieldError::new(declared, "does not suit the algorithm")]);
        // The inputs are only declared here: it is the declaration that is wrong.
        for error in errors.iter_mut().filter(|error| error.pointer == "/encrypted_data_url") {
            error.pointer = declared.to_owned();
        }
        Err(errors)
    }

    pub fn algorithm(&self) -> FheAlgorithm {
        match self.task {
            Task::Statistics(_) => FheAlgorithm::EncryptedStatisticalAnalysis,
            Task::LinearScore(_) => FheAlgorithm::EncryptedLinearScore,
            Task::Maximum => FheAlgorithm::EncryptedMaximum,
            Task::SetMembership(_) => FheAlgorithm::EncryptedSetMembership,
            Task::Program(_) => FheAlgorithm::Program,
        }
    }

    pub fn task(&self) -> &Task {
        &self.task
    }

    /// `encrypted_data_url` as the client wrote it.
    pub fn data_url(&self) -> &str {
        &self.data_url
    }

    /// Where the inputs are. `public_origin` is where clients find this service.
    ///
    /// # Errors
    /// A URL that is neither a blob of ours nor https.
    pub fn data(&self, public_origin: &str) -> Result<EncryptedDataUrl, InvalidDataUrl> {
        EncryptedDataUrl::parse(&self.data_url, public_origin)
    }

    /// The program for inputs of these types.
    ///
    /// # Errors
    /// Inputs that the algorithm does not take, or too many of them; pointers are relative to the payload.
    pub fn compile(&self, inputs: &[ValueType]) -> Result<Program, Vec<FieldError>> {
        if let Some(declared) = self.value_type
            && let Some(other) = inputs.iter().find(|kind| **kind != declared)
        {
            let reason = format!("is not the type of the inputs: there is a {other}");
            return Err(vec![FieldError::new("/parameters/value_type", reason)]);
        }
        if let Some(count) = self.count.filter(|count| *count != inputs.len()) {
            let reason = format!("is not the number of inputs: there are {}, not {count}", inputs.len());
            return Err(vec![FieldError::new("/parameters/count", reason)]);
        }
        match &self.task {
            Task::Statistics(statistics) => statistics.compile(inputs),
            Task::LinearScore(score) => score.compile(inputs),
            Task::Maximum => maximum::compile(inputs),
            Task::SetMembership(membership) => membership.compile(inputs),
            Task::Program(program) => declared(program, inputs),
        }
    }

    /// What a program of this request costs under its key.
    pub fn price(&self, program: &Program) -> Price {
        Price::of(program, self.key.mode)
    }

    /// The most bootstrappings that the request can take, whatever its inputs are; exact when type and number of the
    /// inputs are known.
    pub fn maximum_pbs(&self) -> u64 {
        self.prices(self.dearest_inputs()).max().unwrap_or(0)
    }

    /// The fewest bootstrappings that the request can take, whatever its inputs are; exact when [`Self::maximum_pbs`] is.
    pub fn minimum_pbs(&self) -> u64 {
        self.prices(self.fewest_inputs()).min().unwrap_or(0)
    }

    /// What the request costs with each of these inputs that it takes.
    fn prices(&self, inputs: Vec<Vec<ValueType>>) -> impl Iterator<Item = u64> {
        let programs = inputs.into_iter().filter_map(move |inputs| self.compile(&inputs).ok());
        programs.map(move |program| self.price(&program).total())
    }

    /// For each type that the request may have, the dearest inputs.
    fn dearest_inputs(&self) -> Vec<Vec<ValueType>> {
        self.inputs(|task, kind| match task {
            Task::Statistics(statistics) => statistics.dearest_count(kind, self.key.mode),
            Task::Maximum => Some(maximum::limit(kind)),
            Task::SetMembership(SetMembership::Encrypted) => Some(MAX_ENCRYPTED_SET + 1),
            _ => None,
        })
    }

    /// For each type that the request may have, as few inputs as are allowed.
    fn fewest_inputs(&self) -> Vec<Vec<ValueType>> {
        self.inputs(|task, _| match task {
            Task::SetMembership(SetMembership::Encrypted) => Some(2),
            _ => Some(1),
        })
    }

    /// Inputs of each type that the request may have: as many as it says, or as `count` does.
    fn inputs(&self, count: impl Fn(&Task, ValueType) -> Option<usize>) -> Vec<Vec<ValueType>> {
        if let Task::Program(program) = &self.task {
            return vec![program.inputs.clone()];
        }
        let types = self.value_type.map_or_else(|| ValueType::ALL.to_vec(), |kind| vec![kind]);
        let known = self.count.or(self.known_count());
        let inputs = |kind| Some(vec![kind; known.or_else(|| count(&self.task, kind))?]);
        types.into_iter().filter_map(inputs).collect()
    }

    /// How many inputs the task's own parameters ask for.
    fn known_count(&self) -> Option<usize> {
        match &self.task {
            Task::LinearScore(score) => Some(score.count()),
            Task::SetMembership(SetMembership::Clear(_)) => Some(1),
            _ => None,
        }
    }
}

fn read_key(at: &At<'_>, errors: &mut FieldErrors) -> Option<KeyChoice> {
    let mut fields = Object::open(at, errors)?;
    let mode = fields.optional("mode").map_or(Some(KeyMode::default()), |at| at.parsed(errors));
    let key_id = match mode {
        Some(KeyMode::Client) => fields.required("key_id"),
        _ => fields.optional("key_id"),
    };
    let key_id = key_id.map(|at| at.parsed::<KeyId>(errors));
    fields.close(errors);
    let key_id = match key_id {
        None => None,
        Some(id) => Some(id?),
    };
    Some(KeyChoice { mode: mode?, key_id })
}

/// `payload.parameters`.
struct Parameters {
    task: Task,
    timeout_seconds: u32,
    value_type: Option<ValueType>,
    count: Option<usize>,
}

impl Parameters {
    fn read(algorithm: FheAlgorithm, mut fields: Option<Object<'_>>, errors: &mut FieldErrors) -> Option<Self> {
        let (mut timeout_seconds, mut value_type, mut count) = (Some(DEFAULT_TIMEOUT_SECONDS), None, None);
        if let Some(fields) = &mut fields {
            if let Some(at) = fields.optional("timeout") {
                let seconds = at.integer(1..=i64::from(MAX_TIMEOUT_SECONDS), errors);
                timeout_seconds = seconds.and_then(|seconds| u32::try_from(seconds).ok());
            }
            if let Some(at) = fields.optional("fhe_scheme")
                && at.value.as_str() != Some(SCHEME)
            {
                errors.add(&at.pointer, format!("must be {SCHEME}"));
            }
            if let Some(at) = fields.optional("security_level") {
                at.integer(SECURITY_LEVEL..=SECURITY_LEVEL, errors);
            }
            if algorithm != FheAlgorithm::Program {
                value_type = fields.optional("value_type").and_then(|at| at.parsed(errors));
                let at = fields.optional("count");
                count =
                    at.and_then(|at| at.integer(1..=MAX_COUNT, errors)).and_then(|count| usize::try_from(count).ok());
            }
        }
        let task = read_task(algorithm, fields.as_mut(), errors);
        if let Some(fields) = fields {
            fields.close(errors);
        }
        Some(Self { task: task?, timeout_seconds: timeout_seconds?, value_type, count })
    }
}

fn read_task(algorithm: FheAlgorithm, fields: Option<&mut Object<'_>>, errors: &mut FieldErrors) -> Option<Task> {
    match algorithm {
        FheAlgorithm::EncryptedStatisticalAnalysis => match fields {
            None => Some(Task::Statistics(Statistics::default())),
            Some(fields) => Statistics::read(fields, errors).map(Task::Statistics),
        },
        FheAlgorithm::EncryptedLinearScore => LinearScore::read(fields, errors).map(Task::LinearScore),
        FheAlgorithm::EncryptedMaximum => Some(Task::Maximum),
        FheAlgorithm::EncryptedSetMembership => SetMembership::read(fields, errors).map(Task::SetMembership),
        FheAlgorithm::Program => {
            let Some(fields) = fields else {
                errors.add("/parameters/program", crate::object::REQUIRED);
                return None;
            };
            let at = fields.required("program")?;
            source::compile(&at, errors).map(Task::Program)
        }
    }
}

/// The inputs of a client's program are of the types that it declares.
fn declared(program: &Program, inputs: &[ValueType]) -> Result<Program, Vec<FieldError>> {
    let mut errors = FieldErrors::default();
    if program.inputs.len() != inputs.len() {
        let reason = format!("declares {} inputs; there are {}", program.inputs.len(), inputs.len());
        errors.add("/inputs", reason);
    }
    for (index, (declared, found)) in program.inputs.iter().zip(inputs).enumerate() {
        if declared != found {
            errors.add(format!("/inputs/{index}/type"), format!("is not the type of the input: it is {found}"));
        }
    }
    errors.or(Some(program.clone())).map_err(|errors| all_under(errors, "/parameters/program"))
}
