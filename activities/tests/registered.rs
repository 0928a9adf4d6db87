//! What workflows call is what workers register: the same names, inputs and outputs.

use activities::{
    BookHours, CheckKey, Compute, Conclude, Confirm, ConfirmBatches, FheCompute, Meter, Reconcile, ReportUsage,
    Validate,
};
use temporalio_common::ActivityDefinition;
use workflows::activities as called;

/// Compiles only where input and output agree.
fn agree<Registered, Called>(registered: &Registered, called: &Called)
where
    Registered: ActivityDefinition,
    Called: ActivityDefinition<Input = Registered::Input, Output = Registered::Output>,
{
    assert_eq!(registered.name(), called.name());
}

#[test]
fn every_activity_has_one_name_on_both_sides() {
    agree(&Validate::validate, &called::Validate);
    agree(&Compute::compute, &called::Compute);
    agree(&FheCompute::fhe_compute, &called::FheCompute);
    agree(&CheckKey::check_key, &called::CheckKey);
    agree(&Conclude::conclude, &called::Conclude);
    agree(&Confirm::confirm, &called::Confirm);
    agree(&Meter::meter, &called::Meter);
    agree(&ConfirmBatches::confirm_batches, &called::ConfirmBatches);
    agree(&ReportUsage::report_usage, &called::ReportUsage);
    agree(&BookHours::book_hours, &called::BookHours);
    agree(&Reconcile::reconcile, &called::Reconcile);
}

/// Whoever declares another activity adds it above and to the worker.
#[test]
fn no_declared_activity_is_left_out() {
    let declared = include_str!("../../workflows/src/activities.rs");
    let worker = include_str!("../src/worker.rs");
    let names: Vec<&str> = declared
        .split("\nactivity! {")
        .skip(1)
        .map(|declaration| {
            let line = declaration.lines().find(|line| line.contains('"')).expect("a name");
            line.trim().split(',').next().expect("a marker")
        })
        .collect();
    assert_eq!(names.len(), 11, "{names:?}");
    for name in names {
        assert!(worker.contains(&format!(".register_activities({name} {{")), "the worker registers {name}");
    }
}
