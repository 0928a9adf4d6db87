//! The plans developer, team and enterprise: the only place where a price stands.

use crate::{Catalogue, ChargeTerms, Decimal, Metric, PlanTerms, Price, TaxTerms, Tier};

const CURRENCY: &str = "EUR";
const VAT: &str = "vat-standard";
const VAT_PERCENT: u64 = 20;

impl Catalogue {
    /// The catalogue that is provisioned unless an installation brings its own.
    pub fn standard() -> Self {
        Self {
            metrics: Metric::ALL.to_vec(),
            taxes: vec![TaxTerms { code: VAT.to_owned(), name: "VAT".to_owned(), rate: VAT_PERCENT.into() }],
            plans: vec![developer(), team(), enterprise()],
            webhook_url: None,
        }
    }
}

fn developer() -> PlanTerms {
    plan("developer", "Developer", "Pay as you go, with monthly quotas for nothing", 0)
        .charge(Metric::JobsSubmitted, standard(micro_euros(0)))
        .charge(Metric::JobsCompleted, standard(micro_euros(0)))
        .charge(Metric::ComputeUnits, package(10_000, 1_000, micro_euros(100_000)))
        .charge(Metric::FheComputeUnits, package(1_000, 100, micro_euros(500_000)))
        .charge(Metric::StorageGbHours, standard(micro_euros(200)))
        .charge(Metric::ChainConfirmations, standard(micro_euros(2_000)))
        .charge(Metric::ApiCalls, package(100_000, 10_000, micro_euros(50_000)))
        .terms
}

fn team() -> PlanTerms {
    plan("team", "Team", "A monthly fee, and prices that fall with use", 4_900)
        .charge(Metric::JobsSubmitted, standard(micro_euros(0)))
        .charge(Metric::JobsCompleted, volume([(Some(10_000), 1_000), (Some(100_000), 750), (None, 500)]))
        .charge(Metric::ComputeUnits, graduated([(Some(100_000), 80), (Some(1_000_000), 60), (None, 40)]))
        .charge(Metric::FheComputeUnits, graduated([(Some(10_000), 4_000), (Some(100_000), 3_000), (None, 2_000)]))
        .charge(Metric::StorageGbHours, standard(micro_euros(150)))
        .charge(Metric::ChainConfirmations, volume([(Some(10_000), 1_500), (Some(100_000), 1_000), (None, 700)]))
        .charge(Metric::ApiCalls, package(1_000_000, 10_000, micro_euros(40_000)))
        .terms
}

fn enterprise() -> PlanTerms {
    plan("enterprise", "Enterprise", "A larger monthly fee, and the lowest prices", 49_900)
        .charge(Metric::JobsSubmitted, standard(micro_euros(0)))
        .charge(Metric::JobsCompleted, volume([(Some(100_000), 500), (Some(1_000_000), 300), (None, 200)]))
        .charge(Metric::ComputeUnits, graduated([(Some(1_000_000), 40), (Some(10_000_000), 30), (None, 20)]))
        .charge(Metric::FheComputeUnits, graduated([(Some(100_000), 2_000), (Some(1_000_000), 1_500), (None, 1_000)]))
        .charge(Metric::StorageGbHours, standard(micro_euros(100)))
        .charge(Metric::ChainConfirmations, volume([(Some(100_000), 700), (Some(1_000_000), 500), (None, 400)]))
        .charge(Metric::ApiCalls, package(10_000_000, 100_000, micro_euros(300_000)))
        .terms
}

struct Plan {
    terms: PlanTerms,
}

fn plan(code: &str, name: &str, description: &str, amount_cents: i64) -> Plan {
    Plan {
        terms: PlanTerms {
            code: code.to_owned(),
            name: name.to_owned(),
            description: description.to_owned(),
            amount_cents,
            currency: CURRENCY.to_owned(),
            taxes: vec![VAT.to_owned()],
            charges: Vec::new(),
        },
    }
}

impl Plan {
    fn charge(mut self, metric: Metric, price: Price) -> Self {
        self.terms.charges.push(ChargeTerms { metric, price });
        self
    }
}

/// A price in millionths of a euro.
fn micro_euros(price: u64) -> Decimal {
    Decimal::scaled(price, 6)
}

fn standard(amount: Decimal) -> Price {
    Price::Standard { amount }
}

fn package(free_units: u64, package_size: u64, amount: Decimal) -> Price {
    Price::Package { free_units, package_size, amount }
}

fn graduated<const N: usize>(tiers: [(Option<u64>, u64); N]) -> Price {
    Price::Graduated { tiers: tiers_of(tiers) }
}

fn volume<const N: usize>(tiers: [(Option<u64>, u64); N]) -> Price {
    Price::Volume { tiers: tiers_of(tiers) }
}

/// Last unit of each tier, and the price of a unit in millionths of a euro.
fn tiers_of<const N: usize>(tiers: [(Option<u64>, u64); N]) -> Vec<Tier> {
    tiers.into_iter().map(|(up_to, price)| Tier { up_to, per_unit: micro_euros(price) }).collect()
}
