//! The finance guide tells the prices that `billing setup` provisions.

use billing::{Catalogue, Metric, PlanTerms, Price, Tier};
use jobs::money::amount;

#[test]
fn the_finance_guide_has_the_price_list() {
    let guide = include_str!("../../docs/finance.md");
    let Catalogue { plans, taxes, .. } = Catalogue::standard();
    let row = |title: String, cell: &dyn Fn(&PlanTerms) -> String| {
        let cells: Vec<String> = plans.iter().map(cell).collect();
        format!("| {title} | {} |", cells.join(" | "))
    };
    let mut rows = vec![
        row("plan".to_owned(), &|plan| format!("`{}`", plan.code)),
        row("monthly fee".to_owned(), &|plan| amount(plan.amount_cents)),
    ];
    rows.extend(Metric::ALL.map(|metric| row(format!("`{metric}`"), &|plan| price_of(plan, metric))));
    let missing: Vec<&String> = rows.iter().filter(|row| !guide.contains(row.as_str())).collect();
    assert!(missing.is_empty(), "docs/finance.md must have the rows {missing:#?}");
    for tax in taxes {
        let told = format!("{} {} %", tax.name, tax.rate);
        assert!(guide.contains(&told), "docs/finance.md must tell the tax: {told}");
    }
}

fn price_of(plan: &PlanTerms, metric: Metric) -> String {
    let charge = plan.charges.iter().find(|charge| charge.metric == metric);
    match charge.map(|charge| &charge.price) {
        None => "not billed".to_owned(),
        Some(Price::Standard { amount }) if amount.is_zero() => "free".to_owned(),
        Some(Price::Standard { amount }) => format!("{amount} each"),
        Some(Price::Package { free_units, package_size, amount }) => {
            format!("{} free, then {amount} for each {} begun", grouped(*free_units), grouped(*package_size))
        }
        Some(Price::Graduated { tiers }) => format!("graduated: {}", steps(tiers)),
        Some(Price::Volume { tiers }) => format!("volume: {}", steps(tiers)),
    }
}

fn steps(tiers: &[Tier]) -> String {
    let step = |tier: &Tier| match tier.up_to {
        Some(last) => format!("{} to {}", tier.per_unit, grouped(last)),
        None => format!("{} beyond", tier.per_unit),
    };
    tiers.iter().map(step).collect::<Vec<_>>().join(", ")
}

/// 10000 as 10,000.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[test]
fn thousands_are_grouped() {
    assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
}
