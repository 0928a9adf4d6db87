"""Lago's official Python client, unmodified, against the stand-in: `check_python.py ORIGIN KEY`.

Prints one line a case and ends with "N passed, N failed".
"""

import sys
import time
import urllib.request
from datetime import datetime, timedelta, timezone

from lago_python_client.client import Client
from lago_python_client.exceptions import LagoApiError
from lago_python_client.models import (
    BatchEvent,
    BillableMetric,
    Charge,
    Charges,
    Customer,
    Event,
    InvoicePaymentStatusChange,
    Plan,
    Subscription,
    Tax,
    Wallet,
    WalletTransaction,
    WebhookEndpoint,
)

ORIGIN, KEY = sys.argv[1:]
NOW = int(time.time())
client = Client(api_key=KEY, api_url=ORIGIN)
cases = []


def case(function):
    cases.append(function)
    return function


def refusal(function, *arguments, **named):
    """The client's error, which must come."""
    try:
        function(*arguments, **named)
    except LagoApiError as error:
        return error
    raise AssertionError("the call was not refused")


def event(transaction_id, value="1", code="py_units", timestamp=NOW, subscription="py-sub"):
    return Event(
        transaction_id=transaction_id,
        external_subscription_id=subscription,
        code=code,
        timestamp=timestamp,
        properties={"value": value},
    )


@case
def a_wrong_key_is_refused():
    error = refusal(Client(api_key="wrong", api_url=ORIGIN).plans.find_all)
    assert error.status_code == 401, error.status_code
    assert error.response == {"status": 401, "error": "Unauthorized"}, error.response


@case
def metrics_are_created_changed_found_and_listed():
    created = client.billable_metrics.create(
        BillableMetric(name="Units", code="py_units", aggregation_type="sum_agg", field_name="value", recurring=False)
    )
    assert created.aggregation_type == "sum_agg" and created.field_name == "value"
    client.billable_metrics.create(BillableMetric(name="Calls", code="py_calls", aggregation_type="count_agg"))
    assert client.billable_metrics.update(BillableMetric(name="All units"), "py_units").name == "All units"
    assert client.billable_metrics.find("py_units").lago_id == created.lago_id
    codes = {metric.code for metric in client.billable_metrics.find_all()["billable_metrics"]}
    assert {"py_units", "py_calls"} <= codes
    error = refusal(client.billable_metrics.create, BillableMetric(name="Units", code="py_units", aggregation_type="count_agg"))
    assert error.response["error_details"] == {"code": ["value_already_exist"]}, error.response


@case
def taxes_keep_their_rate():
    created = client.taxes.create(Tax(name="VAT", code="py-vat", rate=19.6))
    assert created.rate == 19.6 and created.applied_to_organization is False
    assert client.taxes.find("py-vat").name == "VAT"
    assert client.taxes.update(Tax(name="TVA"), "py-vat").name == "TVA"


@case
def plans_carry_their_charges_and_taxes():
    units = client.billable_metrics.find("py_units").lago_id
    calls = client.billable_metrics.find("py_calls").lago_id
    ranges = [
        {"from_value": 0, "to_value": 100, "per_unit_amount": "0.02", "flat_amount": "1"},
        {"from_value": 101, "to_value": None, "per_unit_amount": "0.01", "flat_amount": "0"},
    ]
    charges = Charges(
        __root__=[
            Charge(billable_metric_id=units, charge_model="graduated", properties={"graduated_ranges": ranges}),
            Charge(
                billable_metric_id=calls,
                charge_model="package",
                properties={"amount": "0.5", "free_units": 2, "package_size": 3},
            ),
        ]
    )
    plan = Plan(
        name="Py",
        code="py-plan",
        interval="monthly",
        amount_cents=4900,
        amount_currency="EUR",
        pay_in_advance=False,
        charges=charges,
        tax_codes=["py-vat"],
    )
    created = client.plans.create(plan)
    assert created.amount_cents == 4900
    found = client.plans.find("py-plan")
    models = [charge.charge_model for charge in found.charges.__root__]
    assert models == ["graduated", "package"], models
    assert found.charges.__root__[0].properties["graduated_ranges"][1]["per_unit_amount"] == "0.01"
    assert [tax.code for tax in found.taxes.__root__] == ["py-vat"]
    assert refusal(client.plans.find, "py-none").status_code == 404


@case
def customers_and_subscriptions_are_made_once():
    customer = client.customers.create(Customer(external_id="py-customer", name="Python", currency="EUR"))
    assert customer.name == "Python" and customer.applicable_timezone == "UTC"
    start = (datetime.now(timezone.utc) - timedelta(seconds=60)).strftime("%Y-%m-%dT%H:%M:%SZ")
    wanted = Subscription(
        external_customer_id="py-customer",
        plan_code="py-plan",
        external_id="py-sub",
        subscription_at=start,
        billing_time="calendar",
    )
    first = client.subscriptions.create(wanted)
    assert client.subscriptions.create(wanted).lago_id == first.lago_id
    found = client.subscriptions.find("py-sub")
    assert found.status == "active" and found.started_at.startswith(start[:-1]), found
    listed = client.subscriptions.find_all({"external_customer_id": "py-customer"})
    assert [item.external_id for item in listed["subscriptions"]] == ["py-sub"]
    assert listed["meta"]["total_count"] == 1
    assert refusal(client.subscriptions.find, "py-nobody").response["code"] == "subscription_not_found"


@case
def an_event_is_taken_once():
    taken = client.events.create(event("py:1", "40"))
    assert taken.transaction_id == "py:1" and taken.properties == {"value": "40"}
    error = refusal(client.events.create, event("py:1", "40"))
    assert error.status_code == 422
    assert error.response["error_details"] == {"transaction_id": ["value_already_exist"]}, error.response
    assert client.events.find("py:1").code == "py_units"
    assert refusal(client.events.find, "py:none").status_code == 404


@case
def a_batch_is_taken_whole_or_not_at_all():
    error = refusal(client.events.batch_create, BatchEvent(events=[event("py:2"), event("py:1"), event("py:2")]))
    duplicate = {"transaction_id": ["value_already_exist"]}
    assert error.response["error_details"] == {"1": duplicate, "2": duplicate}, error.response
    assert error.response["code"] == "validation_errors"
    assert refusal(client.events.find, "py:2").status_code == 404
    client.events.batch_create(BatchEvent(events=[event("py:2", "61"), event("py:call", code="py_calls")]))
    many = BatchEvent(events=[event(f"py:many:{number}") for number in range(101)])
    assert refusal(client.events.batch_create, many).response["error_details"] == {"events": ["too_many_events"]}


@case
def an_unknown_code_or_subscription_is_taken_all_the_same():
    stray = client.events.create(event("py:stray", code="py_nothing", subscription="py-nobody"))
    assert stray.lago_subscription_id is None


@case
def current_usage_is_priced_to_the_cent():
    usage = client.customers.current_usage("py-customer", "py-sub")
    lines = {line.billable_metric.code: line for line in usage.charges_usage}
    # 101 units: 100 x 0.02 + 1 (flat) + 1 x 0.01; one call is within the two free ones
    assert (lines["py_units"].units, lines["py_units"].events_count, lines["py_units"].amount_cents) == ("101.0", 2, 301)
    assert (lines["py_calls"].units, lines["py_calls"].amount_cents) == ("1.0", 0)
    # 19.6% of 3.01 is 0.58996
    assert (usage.amount_cents, usage.taxes_amount_cents, usage.total_amount_cents) == (301, 59, 360), usage
    assert client.customers.current_usage("py-customer", "py-sub", apply_taxes="false").total_amount_cents == 301
    assert refusal(client.customers.current_usage, "py-customer", "py-nobody").response["code"] == "no_active_subscription"


@case
def webhook_endpoints_are_kept_changed_and_removed():
    # Nobody is there: what is sent is given up after a while.
    wanted = WebhookEndpoint(webhook_url="http://127.0.0.1:9/py", signature_algo="jwt", event_types=["plan.created"])
    created = client.webhook_endpoints.create(wanted)
    listed = client.webhook_endpoints.find_all()["webhook_endpoints"]
    assert created.lago_id in [endpoint.lago_id for endpoint in listed]
    assert client.webhook_endpoints.find(created.lago_id).event_types == ["plan.created"]
    moved = client.webhook_endpoints.update(WebhookEndpoint(webhook_url="http://127.0.0.1:9/py2"), created.lago_id)
    assert moved.webhook_url == "http://127.0.0.1:9/py2"
    client.webhook_endpoints.destroy(created.lago_id)
    assert refusal(client.webhook_endpoints.find, created.lago_id).response["code"] == "webhook_endpoint_not_found"


@case
def the_key_of_webhooks_is_a_public_key():
    key = client.webhooks.public_key()
    assert key.startswith(b"-----BEGIN PUBLIC KEY-----\n") and key.endswith(b"-----END PUBLIC KEY-----\n"), key
    assert client.webhooks.public_key() == key


@case
def a_wallet_is_made_topped_up_and_listed():
    wallet = client.wallets.create(
        Wallet(external_customer_id="py-customer", name="Python credits", code="py", rate_amount="0.5", currency="EUR", granted_credits="4")
    )
    assert (wallet.status, wallet.rate_amount, wallet.balance_cents) == ("active", "0.5", 0), wallet
    found = client.wallets.find(wallet.lago_id)
    assert (found.credits_balance, found.balance_cents) == ("4.0", 200), "the first credits are there right after"
    listed = client.wallets.find_all({"external_customer_id": "py-customer"})
    assert [item.lago_id for item in listed["wallets"]] == [wallet.lago_id]
    assert client.wallets.update(Wallet(name="Renamed"), wallet.lago_id).name == "Renamed"
    ours = [{"key": "zama_top_up", "value": "py"}]
    made = client.wallet_transactions.create(
        WalletTransaction(wallet_id=wallet.lago_id, paid_credits="10", granted_credits="1", metadata=ours)
    )["wallet_transactions"]
    assert [(one.transaction_status, one.status, one.amount) for one in made] == [
        ("purchased", "pending", "5.0"),
        ("granted", "settled", "0.5"),
    ], made
    assert client.wallets.find(wallet.lago_id).balance_cents == 250, "what is to be paid waits"
    bought = client.wallet_transactions.find_all(wallet.lago_id, {"transaction_status": "purchased"})
    assert [one.metadata for one in bought["wallet_transactions"]] == [ours]
    invoice = client.invoices.find(bought["wallet_transactions"][0].lago_invoice_id)
    assert (invoice.invoice_type, invoice.total_amount_cents, invoice.taxes_amount_cents) == ("credit", 500, 0)
    paid = client.invoices.update(InvoicePaymentStatusChange(payment_status="succeeded"), invoice.lago_id)
    assert paid.payment_status == "succeeded"
    assert client.wallets.find(wallet.lago_id).balance_cents == 750


@case
def a_wallet_is_refused_as_lago_refuses_it():
    error = refusal(client.wallets.create, Wallet(external_customer_id="py-customer", code="py", rate_amount="1", currency="EUR"))
    assert error.response["error_details"] == {"code": ["value_already_exist"]}, error.response
    nobody = Wallet(external_customer_id="py-nobody", rate_amount="1", currency="EUR", paid_credits="many")
    details = refusal(client.wallets.create, nobody).response["error_details"]
    assert details == {"customer": ["customer_not_found"], "paid_credits": ["invalid_paid_credits", "invalid_amount"]}, details
    stray = WalletTransaction(wallet_id="00000000-0000-4000-8000-000000000000", granted_credits="1")
    assert refusal(client.wallet_transactions.create, stray).response["error_details"] == {"wallet_id": ["wallet_not_found"]}


@case
def invoices_are_listed():
    listed = client.invoices.find_all({"external_customer_id": "py-customer"})
    assert [invoice.invoice_type for invoice in listed["invoices"]] == ["credit"], listed["meta"]


@case
def an_ended_subscription_is_found_by_its_status_only():
    ended = Subscription(external_customer_id="py-customer", plan_code="py-plan", external_id="py-ended")
    client.subscriptions.create(ended)
    assert client.subscriptions.destroy("py-ended").status == "terminated"
    assert refusal(client.subscriptions.find, "py-ended").status_code == 404


@case
def what_the_stand_in_does_not_heed_it_refuses():
    for call, question in [
        (client.subscriptions.find_all, {"status[]": ["terminated", "canceled"]}),
        (client.invoices.find_all, {"external_customer_id": "py-customer", "status": "voided"}),
        (client.subscriptions.create, Subscription(
            external_customer_id="py-customer", plan_code="py-plan", external_id="py-endless", ending_at="2100-01-01T00:00:00Z"
        )),
    ]:
        assert refusal(call, question).status_code == 501, question
    listed = client.subscriptions.find_all({"external_customer_id": "py-customer", "page": 1, "per_page": 100})
    assert "py-endless" not in [item.external_id for item in listed["subscriptions"]]


@case
def what_was_used_until_the_end_is_invoiced():
    client.subscriptions.destroy("py-sub")
    listed = client.invoices.find_all({"external_customer_id": "py-customer"})["invoices"]
    invoices = [client.invoices.find(head.lago_id) for head in listed]
    fees = {fee.item.code: fee for invoice in invoices for fee in invoice.fees.__root__}
    assert (fees["py_units"].units, fees["py_units"].amount_cents) == ("101.0", 301), fees
    whole = next(invoice for invoice in invoices if "py_units" in [fee.item.code for fee in invoice.fees.__root__])
    credits = whole.prepaid_credit_amount_cents
    assert whole.total_amount_cents == whole.fees_amount_cents + whole.taxes_amount_cents - credits, whole
    # What the monthly fee costs depends on the day; of the 7.50 that were paid in advance the granted ones go first.
    drawn = sum(invoice.prepaid_credit_amount_cents for invoice in invoices)
    granted = sum(invoice.prepaid_granted_credit_amount_cents or 0 for invoice in invoices)
    assert drawn + client.wallets.find_all()["wallets"][0].balance_cents == 750, drawn
    assert granted == min(drawn, 250), granted


@case
def an_invoice_is_downloaded():
    head = client.invoices.find_all({"external_customer_id": "py-customer"})["invoices"][0]
    invoice = client.invoices.download(head.lago_id)
    with urllib.request.urlopen(invoice.file_url) as answer:
        assert answer.headers["content-type"] == "application/pdf" and answer.headers["x-lago-stand-in"] == "zama-jobs"
        document = answer.read()
    assert document.startswith(b"%PDF-") and invoice.number.encode() in document and b"Lago stand-in" in document
    assert refusal(client.invoices.download, "00000000-0000-4000-8000-000000000000").status_code == 404


@case
def a_wallet_is_ended_once():
    wallet = client.wallets.find_all({"external_customer_id": "py-customer"})["wallets"][0]
    assert client.wallets.destroy(wallet.lago_id).status == "terminated"
    more = WalletTransaction(wallet_id=wallet.lago_id, granted_credits="1")
    assert refusal(client.wallet_transactions.create, more).response["error_details"] == {"wallet_id": ["wallet_is_terminated"]}


passed = failed = 0
for run in cases:
    try:
        run()
        passed += 1
        print(f"python  ok    {run.__name__}")
    except Exception as error:  # every case is reported, whatever it met
        failed += 1
        print(f"python  FAIL  {run.__name__}: {type(error).__name__}: {error}")
print(f"{passed} passed, {failed} failed")
sys.exit(1 if failed else 0)
