// Lago's official JavaScript client, unmodified, against the stand-in: `check_node.mjs ORIGIN KEY`.
// Runs after check_python.py and a kill -9: what Python was answered must still be there.
// Prints one line a case and ends with "N passed, N failed".

import assert from "node:assert/strict";
import { createPublicKey } from "node:crypto";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

// The client lies in a cache folder, so it is found from there and not from beside this file.
const require = createRequire(pathToFileURL(join(process.cwd(), "package.json")));
const { Client, getLagoError } = require("lago-javascript-client");

const [origin, key] = process.argv.slice(2);
const baseUrl = `${origin}/api/v1`;
const lago = Client(key, { baseUrl });
const now = Math.floor(Date.now() / 1000);
const cases = [];

const refusal = async (call) => {
  try {
    await call;
  } catch (error) {
    return { status: error.status, ...(await getLagoError(error)) };
  }
  throw new Error("the call was not refused");
};

const event = (transaction_id, value = "1", more = {}) => ({
  transaction_id,
  external_subscription_id: "js-sub",
  code: "js_units",
  timestamp: now,
  properties: { value },
  ...more,
});

cases.push(["what was answered before kill -9 is still there", async () => {
  const found = (await lago.events.findEvent("py:1")).data.event;
  assert.equal(found.properties.value, "40");
  const ended = (await lago.subscriptions.findSubscription("py-sub", { status: "terminated" })).data.subscription;
  assert.equal(ended.external_customer_id, "py-customer");
  const { events } = (await lago.events.findAllEvents({ external_subscription_id: "py-sub" })).data;
  assert.deepEqual(events.map((item) => item.transaction_id).sort(), ["py:1", "py:2", "py:call"]);
  const { invoices } = (await lago.invoices.findAllInvoices({ external_customer_id: "py-customer" })).data;
  assert.deepEqual(invoices.map((one) => one.invoice_type).sort(), ["credit", "subscription", "subscription"]);
}]);

cases.push(["every answer names the stand-in", async () => {
  const response = await lago.plans.findPlan("py-plan");
  assert.equal(response.headers.get("x-lago-stand-in"), "zama-jobs");
}]);

cases.push(["a wrong key is refused", async () => {
  const error = await refusal(Client("wrong", { baseUrl }).plans.findPlan("py-plan"));
  assert.equal(error.status, 401);
  assert.equal(error.error, "Unauthorized");
}]);

cases.push(["metric, tax and plan are created and found", async () => {
  const metric = { name: "Units", code: "js_units", aggregation_type: "sum_agg", field_name: "value", recurring: false };
  const created = (await lago.billableMetrics.createBillableMetric({ billable_metric: metric })).data.billable_metric;
  assert.equal((await lago.billableMetrics.findBillableMetric("js_units")).data.billable_metric.lago_id, created.lago_id);
  await lago.taxes.createTax({ tax: { name: "VAT", code: "js-vat", rate: "20" } });
  assert.equal((await lago.taxes.findTax("js-vat")).data.tax.rate, 20);
  const volume_ranges = [
    { from_value: 0, to_value: 100, per_unit_amount: "2", flat_amount: "10" },
    { from_value: 101, to_value: null, per_unit_amount: "1", flat_amount: "0" },
  ];
  const charge = { billable_metric_id: created.lago_id, charge_model: "volume", properties: { volume_ranges } };
  const plan = { name: "JS", code: "js-plan", interval: "monthly", amount_cents: 0, amount_currency: "EUR", pay_in_advance: false, charges: [charge], tax_codes: ["js-vat"] };
  await lago.plans.createPlan({ plan });
  const found = (await lago.plans.findPlan("js-plan")).data.plan;
  assert.deepEqual(found.charges[0].properties, { volume_ranges });
  assert.equal(found.taxes[0].code, "js-vat");
}]);

cases.push(["customer and subscription are made once", async () => {
  await lago.customers.createCustomer({ customer: { external_id: "js-customer", name: "JavaScript" } });
  assert.equal((await lago.customers.findCustomer("js-customer")).data.customer.name, "JavaScript");
  const subscription_at = new Date((now - 60) * 1000).toISOString();
  const subscription = { external_customer_id: "js-customer", external_id: "js-sub", plan_code: "js-plan", subscription_at };
  const first = (await lago.subscriptions.createSubscription({ subscription })).data.subscription;
  const second = (await lago.subscriptions.createSubscription({ subscription })).data.subscription;
  assert.equal(second.lago_id, first.lago_id);
  assert.equal((await lago.subscriptions.findSubscription("js-sub")).data.subscription.status, "active");
  const error = await refusal(lago.subscriptions.findSubscription("js-nobody"));
  assert.deepEqual([error.status, error.code], [404, "subscription_not_found"]);
}]);

cases.push(["a batch is taken whole or not at all, and each event once", async () => {
  await lago.events.createEvent({ event: event("js:1", "60") });
  const again = await refusal(lago.events.createEvent({ event: event("js:1", "60") }));
  assert.deepEqual(again.error_details, { transaction_id: ["value_already_exist"] });
  const mixed = await refusal(lago.events.createBatchEvents({ events: [event("js:2"), event("js:1")] }));
  assert.deepEqual(mixed.error_details, { 1: { transaction_id: ["value_already_exist"] } });
  assert.equal((await refusal(lago.events.findEvent("js:2"))).status, 404);
  const taken = (await lago.events.createBatchEvents({ events: [event("js:2", "0.5"), event("js:3", "41")] })).data.events;
  assert.deepEqual(taken.map((item) => item.transaction_id), ["js:2", "js:3"]);
}]);

cases.push(["events are listed by subscription", async () => {
  const listed = (await lago.events.findAllEvents({ external_subscription_id: "js-sub", per_page: 2, page: 2 })).data;
  assert.equal(listed.events.length, 1);
  assert.deepEqual([listed.meta.total_count, listed.meta.prev_page, listed.meta.next_page], [3, 1, null]);
}]);

cases.push(["current usage is priced to the cent", async () => {
  const query = { external_subscription_id: "js-sub" };
  const usage = (await lago.customers.findCustomerCurrentUsage("js-customer", query)).data.customer_usage;
  // 60 + 0.5 + 41 = 101.5 units, all at 1
  assert.deepEqual([usage.charges_usage[0].units, usage.charges_usage[0].events_count], ["101.5", 3]);
  assert.deepEqual([usage.amount_cents, usage.taxes_amount_cents, usage.total_amount_cents], [10150, 2030, 12180]);
}]);

cases.push(["invoices and webhook endpoints are listed", async () => {
  assert.deepEqual((await lago.invoices.findAllInvoices({ external_customer_id: "js-customer" })).data.invoices, []);
  const webhook_endpoint = { webhook_url: "http://127.0.0.1:9/js", signature_algo: "jwt", event_types: ["plan.created"] };
  await lago.webhookEndpoints.createWebhookEndpoint({ webhook_endpoint });
  const listed = (await lago.webhookEndpoints.findAllWebhookEndpoints({})).data.webhook_endpoints;
  assert.ok(listed.some((endpoint) => endpoint.webhook_url === webhook_endpoint.webhook_url));
}]);

cases.push(["wallets and their transactions survived kill -9", async () => {
  const { wallets } = (await lago.wallets.findAllWallets({ external_customer_id: "py-customer" })).data;
  assert.deepEqual([wallets.length, wallets[0].status, wallets[0].name], [1, "terminated", "Renamed"]);
  const listed = (await lago.wallets.findAllWalletTransactions(wallets[0].lago_id, { transaction_type: "inbound" })).data;
  assert.deepEqual(listed.wallet_transactions.map((one) => one.transaction_status), ["granted", "purchased", "granted"]);
}]);

cases.push(["a wallet is made, topped up, paid and drawn", async () => {
  const wanted = { external_customer_id: "js-customer", rate_amount: "1", currency: "EUR", name: "JS credits" };
  const wallet = (await lago.wallets.createWallet({ wallet: wanted })).data.wallet;
  assert.deepEqual([wallet.code, wallet.priority, wallet.credits_balance], ["js_credits", 50, "0.0"]);
  const twice = await refusal(lago.wallets.createWallet({ wallet: { ...wanted, code: "js_credits" } }));
  assert.deepEqual([twice.status, twice.error_details], [422, { code: ["value_already_exist"] }]);
  const wallet_transaction = { wallet_id: wallet.lago_id, paid_credits: "100", granted_credits: "20.5" };
  await lago.walletTransactions.createWalletTransaction({ wallet_transaction });
  const { wallet_transactions } = (await lago.wallets.findAllWalletTransactions(wallet.lago_id, { status: "pending" })).data;
  assert.deepEqual(wallet_transactions.map((one) => one.amount), ["100.0"]);
  const found = (await lago.walletTransactions.findWalletTransaction(wallet_transactions[0].lago_id)).data;
  assert.equal(found.wallet_transaction.status, "pending");
  const invoice = { payment_status: "succeeded" };
  await lago.invoices.updateInvoice(wallet_transactions[0].lago_invoice_id, { invoice });
  const full = (await lago.wallets.findWallet(wallet.lago_id)).data.wallet;
  // 120.50, of which 101.50 and their 20% were used by now.
  assert.deepEqual([full.balance_cents, full.ongoing_usage_balance_cents, full.credits_ongoing_balance], [12050, 12180, "-1.3"]);
}]);

cases.push(["the key of webhooks is told in both forms", async () => {
  const { public_key } = (await lago.webhooks.fetchJsonPublicKey()).data.webhook;
  const pem = Buffer.from(public_key, "base64").toString();
  assert.equal(createPublicKey(pem).asymmetricKeyType, "rsa");
  const text = await (await fetch(`${baseUrl}/webhooks/public_key`, { headers: { Authorization: `Bearer ${key}` } })).text();
  assert.equal(text, public_key);
}]);

cases.push(["what was used until the end is invoiced", async () => {
  await lago.subscriptions.destroySubscription("js-sub");
  const listed = (await lago.invoices.findAllInvoices({ external_customer_id: "js-customer" })).data.invoices;
  assert.deepEqual(listed.map((one) => one.invoice_type), ["subscription", "credit"]);
  const invoice = (await lago.invoices.findInvoice(listed[0].lago_id)).data.invoice;
  const fee = invoice.fees.find((one) => one.item.type === "charge");
  assert.deepEqual([fee.units, fee.amount_cents, invoice.billing_periods.length], ["101.5", 10150, 1]);
  // 121.80 were used, 120.50 of them paid in advance.
  assert.deepEqual([invoice.prepaid_credit_amount_cents, invoice.total_amount_cents], [12050, 130]);
  assert.deepEqual([invoice.prepaid_granted_credit_amount_cents, invoice.prepaid_purchased_credit_amount_cents], [2050, 10000]);
  assert.equal(invoice.payment_status, "pending");
}]);

cases.push(["an invoice is downloaded", async () => {
  const listed = (await lago.invoices.findAllInvoices({ external_customer_id: "js-customer" })).data.invoices;
  const { file_url } = (await lago.invoices.downloadInvoice(listed[0].lago_id)).data.invoice;
  const answer = await fetch(file_url);
  assert.deepEqual([answer.status, answer.headers.get("content-type")], [200, "application/pdf"]);
  assert.match(Buffer.from(await answer.arrayBuffer()).toString("latin1"), /^%PDF-1\.4[^]*Lago stand-in[^]*%%EOF\n$/);
}]);

cases.push(["what the stand-in cannot do it refuses with 501", async () => {
  assert.equal((await refusal(lago.coupons.findAllCoupons({}))).status, 501);
  assert.equal((await refusal(lago.subscriptions.findAllSubscriptions({ "status[]": ["active", "pending"] }))).status, 501);
  assert.equal((await refusal(lago.invoices.findAllInvoices({ statuses: ["voided", "draft"] }))).status, 501);
}]);

let passed = 0;
let failed = 0;
for (const [name, run] of cases) {
  try {
    await run();
    passed += 1;
    console.log(`node    ok    ${name}`);
  } catch (error) {
    failed += 1;
    const what = error instanceof Error ? error.message : `${error?.status}: ${JSON.stringify(error?.error)}`;
    console.log(`node    FAIL  ${name}: ${what}`);
  }
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed ? 1 : 0;
