// Holds this verifier and `zama-jobs verify` to the same verdict: on a receipt, and on what a forger would make of it.
//   ZAMA_BIN=zama-jobs node dist/compare.js receipt.json [--rpc URL --registry 0x…]      without --rpc: offline
//   … --brief      only what a forger would change about this kind of job, where a whole run has been made of another
// Exit code 0 when both agree everywhere, accept the honest receipt and refuse every forgery.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Ajv2020 } from "ajv/dist/2020.js";
import { type Hex, concat, createPublicClient, encodeAbiParameters, http, keccak256, sha256 } from "viem";
import { type Receipt, parseReceipt } from "./receipt.js";
import { run } from "./verify.js";

const VERIFIES = 0;
const IS_NO_RECEIPT = 2;
const REFUSED = 7;
const NO_ANSWER = 8;

const flipped = (hex: Hex): Hex => `${hex.slice(0, -1)}${hex.endsWith("0") ? "1" : "0"}` as Hex;
const zero: Hex = `0x${"0".repeat(64)}`;

/** The forger makes the receipt's own hashes fit: one leaf, alone in a batch that nobody confirmed. */
function madeConsistent(receipt: Receipt) {
  const { leaf } = receipt;
  const types = ["uint256", "bytes32", "address", "bytes32", "uint8", "bytes32", "bytes32"].map((type) => ({ type }));
  const values = [BigInt(leaf.index), leaf.job_id, leaf.submitter, leaf.result_hash, leaf.status, leaf.content_hash, leaf.handle];
  receipt.leaf_abi = encodeAbiParameters(types, values);
  receipt.leaf_hash = keccak256(keccak256(receipt.leaf_abi));
  receipt.root = receipt.leaf_hash;
  receipt.proof = [];
  const mask: Hex = `0x${(1n << BigInt(leaf.index % 256)).toString(16).padStart(64, "0")}`;
  receipt.entries = [{ word: Math.floor(leaf.index / 256), mask }];
}

type Alteration = (receipt: Receipt & Record<string, unknown>) => void;

/** Seen by everybody, from the receipt alone. */
const forgeries: Record<string, Alteration> = {
  "another result": (r) => { r.leaf.result_hash = flipped(r.leaf.result_hash); },
  "another submitter": (r) => { r.leaf.submitter = flipped(r.leaf.submitter); },
  "another job": (r) => { r.leaf.job_id = `${flipped(r.leaf.job_id.slice(0, 34) as Hex)}${"0".repeat(32)}` as Hex; },
  "a job id beyond a UUID": (r) => { r.leaf.job_id = flipped(r.leaf.job_id); },
  "the other status": (r) => { r.leaf.status = 3 - r.leaf.status; },
  "the next index": (r) => { r.leaf.index += 1; },
  "an index far away": (r) => { r.leaf.index += 1_000_000; },
  "another content hash": (r) => { r.leaf.content_hash = flipped(r.leaf.content_hash); },
  "another handle": (r) => { r.leaf.handle = flipped(r.leaf.handle); },
  "another encoding": (r) => { r.leaf_abi = flipped(r.leaf_abi); },
  "another leaf hash": (r) => { r.leaf_hash = flipped(r.leaf_hash); },
  "another input": (r) => { r.input_hash = flipped(r.input_hash ?? zero); },
  "no input": (r) => { r.input_hash = null; },
  "another salt and content hash": (r) => {
    r.salt = flipped(r.salt);
    r.leaf.content_hash = sha256(concat([r.salt, r.input_hash ?? zero]));
  },
  "a program too many or another": (r) => { r.program_hash = flipped(r.program_hash ?? zero); },
  "an attestation too many or another": (r) => { r.attestation = flipped(r.attestation ?? "0x00"); },
  "an empty attestation": (r) => { r.attestation = "0x"; },
  "another root": (r) => { r.root = flipped(r.root); },
  "another sibling": (r) => { r.proof[0] = flipped(r.proof[0] ?? zero); },
  "siblings in another order": (r) => { r.proof.reverse(); },
  "a sibling too few": (r) => { r.proof.pop(); },
  "a sibling too many": (r) => { r.proof.push(zero); },
  "an index too many": (r) => { for (const e of r.entries) e.mask = `0x${"f".repeat(64)}`; },
  "an empty entry": (r) => { r.entries.push({ word: 1 + (r.entries.at(-1)?.word ?? 0), mask: zero }); },
  "an entry twice": (r) => { r.entries = r.entries.flatMap((entry) => [entry, entry]); },
  "no entries": (r) => { r.entries = []; },
  "a batch of its own": (r) => { r.leaf.submitter = flipped(r.leaf.submitter); madeConsistent(r); },
  "another version": (r) => { r.version = 2; },
  "another schema": (r) => { r.schema = "zama-jobs/receipt/v2"; },
};
/** Seen only by who asks the chain. */
const misplaced: Record<string, Alteration> = {
  "another transaction": (r) => { r.tx_hash = flipped(r.tx_hash); },
  "another block hash": (r) => { r.block_hash = flipped(r.block_hash); },
  "the next block": (r) => { r.block_number += 1; },
  "a block to come": (r) => { r.block_number += 1_000_000_000; },
  "another chain": (r) => { r.chain_id += 1; },
  "another registry": (r) => { r.registry = flipped(r.registry); },
};
/** A real transaction of the chain in its real block, but not the one that confirmed the batch. */
async function ofAnotherTransaction(url: string, { block_number }: Receipt): Promise<Alteration> {
  const client = createPublicClient({ transport: http(url) });
  for (let number = BigInt(block_number) - 1n; number > 0n; number -= 1n) {
    const block = await client.getBlock({ blockNumber: number });
    const [hash] = block.transactions;
    if (hash) return (r) => Object.assign(r, { tx_hash: hash, block_number: Number(number), block_hash: block.hash });
  }
  throw new Error("the chain has no transaction before the batch's: not even the registry's deployment");
}

/** Of a failed job: it commits to the submitted body and to no result. */
function failed(receipt: Receipt) {
  const { leaf, salt, input_hash } = receipt;
  [leaf.status, leaf.result_hash, leaf.handle] = [2, zero, zero];
  leaf.content_hash = sha256(concat([salt, input_hash ?? zero]));
  [receipt.program_hash, receipt.key_hash, receipt.attestation] = [null, null, null];
  madeConsistent(receipt);
}
/** A batch that a confirmer did put on chain, so that its root is the trusted one: is what it says of the job sound? */
const confirmed: Record<string, [Alteration, number]> = {
  "a failed job": [failed, VERIFIES],
  "a failed job with a result": [(r) => { failed(r); r.leaf.result_hash = flipped(zero); madeConsistent(r); }, REFUSED],
  "a completed job without one": [(r) => { failed(r); r.leaf.status = 1; madeConsistent(r); }, REFUSED],
};

const malformed: Record<string, Alteration> = {
  "an unknown field": (r) => { r.extra = null; },
  "a null that is not there": (r) => { delete (r as Partial<Receipt>).attestation; },
  "no root": (r) => { delete (r as Partial<Receipt>).root; },
  "a status that there is not": (r) => { r.leaf.status = 3; },
  "half a hash": (r) => { r.root = r.root.slice(0, 34) as Hex; },
  "an index that is none": (r) => { r.leaf.index = -1; },
};
const harmless: Record<string, Alteration> = {
  "the honest receipt": () => {},
  "other software": (r) => { r.software = "somebody else's"; },
};

const one = { type: "string" } as const;
const brief = { type: "boolean", default: false } as const;
const { values: options, positionals } = parseArgs({ allowPositionals: true, options: { rpc: one, registry: one, brief } });
const honest = readFileSync(positionals[0] ?? "", "utf8");
const trusted = parseReceipt(honest);
const against = options.rpc
  ? ["--rpc", options.rpc, "--registry", options.registry ?? trusted.registry]
  : ["--root", trusted.root];
const folder = mkdtempSync(join(tmpdir(), "zama-compare-"));
const ours = fileURLToPath(new URL("verify.js", import.meta.url));
let [cases, wrong] = [0, 0];
const started = new Set<number>();

type Source = (altered: Receipt) => string[];
async function compare(name: string, alter: Alteration, expected: number, source: Source = () => against) {
  const altered = JSON.parse(honest) as Receipt & Record<string, unknown>;
  alter(altered);
  const document = JSON.stringify(altered);
  // A batch of one has no sibling to take away; such an alteration changes nothing.
  if (document === JSON.stringify(JSON.parse(honest)) && name !== "the honest receipt") return;
  const file = join(folder, "receipt.json");
  writeFileSync(file, document);
  const exitCode = (program: string, ...args: string[]) => {
    const { status, error } = spawnSync(program, args, { cwd: folder });
    if (error) throw error;
    return status;
  };
  const args = [file, ...source(altered)];
  const rust = exitCode(process.env.ZAMA_BIN ?? "zama-jobs", "verify", ...args);
  // Once of each exit code as a program; starting it a hundred times costs more than all that is checked.
  const asProgram = !started.has(expected) && !!started.add(expected);
  const typescript = asProgram ? exitCode(process.execPath, ours, ...args) : await run(args, () => {}, () => {});
  const good = rust === expected && typescript === expected;
  console.log(`${good ? "ok  " : "FAIL"}  ${name}: zama-jobs ${rust}, TypeScript ${typescript}${good ? "" : `, expected ${expected}`}`);
  cases += 1;
  if (!good) wrong += 1;
}

/** Code of its own making answers what ours answers: only its hash tells. `zama-jobs verify` has our code at hand. */
async function tellCodeByItsHash(url: string, { registry }: Receipt) {
  const code = (await createPublicClient({ transport: http(url) }).getCode({ address: registry })) ?? "0x";
  const file = join(folder, "receipt.json");
  writeFileSync(file, honest);
  for (const [hash, expected, mark] of [[keccak256(code), VERIFIES, "ok  "], [keccak256("0x00"), REFUSED, "FAIL"]] as const) {
    const { status, stdout } = spawnSync(process.execPath, [ours, file, ...against, "--code-hash", hash], { encoding: "utf8" });
    const good = status === expected && stdout.includes(`${mark}  code: its hash ${keccak256(code)}`);
    console.log(`${good ? "ok  " : "FAIL"}  code hash ${hash}: TypeScript ${status}`);
    cases += 1;
    if (!good) wrong += 1;
  }
}

/** Who names no registry is told by both that nobody compared it, and by both that the rest verifies. */
function tellThatNobodyCompared(url: string) {
  const file = join(folder, "receipt.json");
  writeFileSync(file, honest);
  const env = { ...process.env, ZAMA_REGISTRY: undefined };
  for (const [program, ...first] of [[process.env.ZAMA_BIN ?? "zama-jobs", "verify"], [process.execPath, ours]] as const) {
    const { status, stdout } = spawnSync(program, [...first, file, "--rpc", url], { cwd: folder, env, encoding: "utf8" });
    const good = status === VERIFIES && /^-\s+expected_registry.*not checked/m.test(stdout);
    console.log(`${good ? "ok  " : "FAIL"}  no registry is named: ${program === process.execPath ? "TypeScript" : "zama-jobs"} ${status}`);
    cases += 1;
    if (!good) wrong += 1;
  }
}

/** The published schema says what both readers say of a document's form; ajv knows neither. */
function fitTheSchema() {
  const fits = new Ajv2020({ strict: true }).compile(JSON.parse(readFileSync(process.env.RECEIPT_SCHEMA ?? "", "utf8")) as object);
  const forms: [Record<string, Alteration>, boolean][] = [[harmless, true], [misplaced, true], [malformed, false]];
  for (const [alterations, expected] of forms)
    for (const [name, alter] of Object.entries(alterations)) {
      const altered = JSON.parse(honest) as Receipt & Record<string, unknown>;
      alter(altered);
      const good = fits(altered) === expected;
      console.log(`${good ? "ok  " : "FAIL"}  schema, ${name}: ${expected ? "fits" : "does not fit"}`);
      cases += 1;
      if (!good) wrong += 1;
    }
}

function end(): never {
  rmSync(folder, { recursive: true });
  console.log(`${cases} receipts, ${wrong} verdicts that differ or are wrong`);
  process.exit(wrong === 0 ? 0 : 1);
}

/** Of these a failed, a completed and an encrypted job's leaf have different ones. */
const telling = ["another result", "the other status", "another handle", "another input", "a program too many or another",
  "an attestation too many or another", "another transaction", "the honest receipt"];
const asked = (alterations: Record<string, Alteration>) =>
  Object.entries(alterations).filter(([name]) => !options.brief || telling.includes(name));

for (const [name, alter] of asked(harmless)) await compare(name, alter, VERIFIES);
for (const [name, alter] of asked(forgeries)) await compare(name, alter, REFUSED);
for (const [name, alter] of asked(misplaced)) await compare(name, alter, options.rpc ? REFUSED : VERIFIES);
if (options.brief) end();
if (options.rpc) {
  await compare("the place of another transaction", await ofAnotherTransaction(options.rpc, trusted), REFUSED);
  await tellCodeByItsHash(options.rpc, trusted);
  tellThatNobodyCompared(options.rpc);
}
for (const [name, alter] of Object.entries(malformed)) await compare(name, alter, IS_NO_RECEIPT);
// Nothing listens at the discard port: no node is no verdict, but what the receipt itself gives away still is one.
const nobody = ["--rpc", "http://127.0.0.1:9", "--registry", trusted.registry];
await compare("the honest receipt", () => {}, NO_ANSWER, () => nobody);
await compare("another result", forgeries["another result"] as Alteration, REFUSED, () => nobody);
for (const [name, [alter, expected]] of Object.entries(confirmed)) await compare(name, alter, expected, ({ root }) => ["--root", root]);
fitTheSchema();
end();
