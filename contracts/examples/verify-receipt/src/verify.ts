// Verifies a receipt of Zama Jobs with nothing of Zama Jobs: viem's hashes, and an EVM node or a root that you trust.
//   node dist/verify.js receipt.json --rpc URL [--registry 0x…] [--code-hash 0x…] | --root 0x…     [--result FILE]
// Exit codes: 0 it verifies; 2 the command line or the file is wrong; 7 it does not verify; 8 a node gave no answer.
import { readFileSync, realpathSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { BaseError, type Hex, HttpRequestError, TimeoutError, concat, createPublicClient, encodeAbiParameters, http, keccak256, parseAbi, parseEventLogs, sha256 } from "viem";
import { type Leaf, type Receipt, parseReceipt } from "./receipt.js";

const abi = parseAbi([
  "struct Entry { uint256 word; uint256 mask; }",
  "struct Leaf { uint256 index; bytes32 jobId; address submitter; bytes32 resultHash; uint8 status; bytes32 contentHash; bytes32 handle; }",
  "event BatchConfirmed(bytes32 indexed root, Entry[] entries)",
  "function isConfirmed(uint256 index) view returns (bool)",
  "function verifyInclusion(bytes32 root, Entry[] entries, Leaf leaf, bytes32[] proof) view returns (bool)",
  "function eip712Domain() view returns (bytes1 fields, string name, string version, uint256 chainId, address verifyingContract, bytes32 salt, uint256[] extensions)",
]);
const ZERO = `0x${"0".repeat(64)}`;
const words = (...types: string[]) => types.map((type) => ({ type }));
const ones = (mask: bigint) => mask.toString(2).replaceAll("0", "").length;

/** No answer is no verdict; a refusal is one. */
function isSilence(error: unknown) {
  const silence = (cause: unknown) => cause instanceof HttpRequestError || cause instanceof TimeoutError;
  return error instanceof BaseError && !!error.walk(silence);
}

function encodeLeaf(leaf: Leaf) {
  const types = words("uint256", "bytes32", "address", "bytes32", "uint8", "bytes32", "bytes32");
  const values = [BigInt(leaf.index), leaf.job_id, leaf.submitter, leaf.result_hash, leaf.status, leaf.content_hash, leaf.handle];
  return encodeAbiParameters(types, values);
}

/** Place of the leaf's bit among all bits of the entries; undefined when it is not there or they are not canonical. */
function place({ entries, leaf }: Pick<Receipt, "entries" | "leaf">) {
  const [leafWord, below] = [Math.floor(leaf.index / 256), (1n << BigInt(leaf.index % 256)) - 1n];
  let [rank, count, member, previous] = [0, 0, false, -1];
  for (const entry of entries) {
    const mask = BigInt(entry.mask);
    if (entry.word <= previous || mask === 0n) return undefined;
    if (entry.word === leafWord) member = (mask & (below + 1n)) !== 0n;
    rank += entry.word < leafWord ? ones(mask) : entry.word === leafWord ? ones(mask & below) : 0;
    [count, previous] = [count + ones(mask), entry.word];
  }
  return member ? { rank, count } : undefined;
}

function leadsToRoot({ leaf, entries, proof, root }: Receipt) {
  const at = place({ leaf, entries });
  if (!at || proof.length !== Math.ceil(Math.log2(at.count))) return false;
  const parent = (node: Hex, sibling: Hex, height: number) =>
    keccak256(concat((at.rank >> height) % 2 ? [sibling, node] : [node, sibling]));
  return proof.reduce(parent, keccak256(keccak256(encodeLeaf(leaf)))) === root;
}

/** A plain leaf commits to the submitted body, an encrypted one to inputs, program, key, result and attestation. */
function commits({ leaf, salt, input_hash, program_hash, key_hash, attestation }: Receipt) {
  if (leaf.handle === ZERO)
    return !program_hash && !key_hash && !attestation && !!input_hash && sha256(concat([salt, input_hash])) === leaf.content_hash;
  if (!input_hash || !program_hash || !key_hash || !attestation) return false;
  const handle = [input_hash, program_hash, key_hash, leaf.result_hash, keccak256(attestation)];
  return keccak256(encodeAbiParameters(words("bytes32", "bytes32", "bytes32", "bytes32", "bytes32"), handle)) === leaf.handle;
}

/** A failed job names no result and commits to nothing but its failure; a completed one names a result. */
const agrees = ({ status, result_hash, handle }: Leaf) =>
  status === 1 ? result_hash !== ZERO : result_hash === ZERO && handle === ZERO;

function* offline(receipt: Receipt): Generator<[string, boolean]> {
  const encoded = encodeLeaf(receipt.leaf);
  yield ["document: version 1 of zama-jobs/receipt/v1", receipt.version === 1 && receipt.schema === "zama-jobs/receipt/v1"];
  yield ["leaf: its fields encode to leaf_abi, its job id is a UUID", encoded === receipt.leaf_abi && /0{32}$/.test(receipt.leaf.job_id)];
  yield ["leaf_hash: the leaf's double keccak256", keccak256(keccak256(encoded)) === receipt.leaf_hash];
  yield ["status: the leaf names a result just if the job completed", agrees(receipt.leaf)];
  yield ["commitment: the leaf commits to what the receipt names", commits(receipt)];
  yield ["inclusion: the proof leads from the rank of the leaf's bit to the root", leadsToRoot(receipt)];
}

type Options = { rpc?: string; registry?: string; "code-hash"?: string; root?: string; result?: string };
/** What is neither: true now, and it may not last; or only you know what to compare with. */
type Told = [string, boolean | "not yet" | "not checked"];
async function* onChain(receipt: Receipt, { rpc, registry: expected, "code-hash": code }: Options): AsyncGenerator<Told> {
  const url = rpc ?? "";
  const client = createPublicClient({ transport: http(url, { timeout: 20_000 }) });
  const { root, registry: address, leaf, chain_id, tx_hash, block_number, block_hash, proof } = receipt;
  const entries = receipt.entries.map(({ word, mask }) => ({ word: BigInt(word), mask: BigInt(mask) }));
  // Anybody can deploy a contract that says of itself what ours says, and that confirms whatever its owner likes.
  yield ["expected_registry: the one that was given with --registry", expected ? address === expected.toLowerCase() : "not checked"];
  const found = keccak256((await client.getCode({ address })) ?? "0x");
  yield [`code: its hash ${found} is the one that was given with --code-hash`, code ? found === code.toLowerCase() : "not checked"];

  const [, name, version, chainId, contract] = await client.readContract({ abi, address, functionName: "eip712Domain" });
  const ids = [BigInt(await client.getChainId()), chainId];
  const isRegistry = name === "ZamaJobs" && version === "1" && contract.toLowerCase() === address;
  yield ["registry: a ZamaJobs registry on the receipt's chain", isRegistry && ids.every((id) => id === BigInt(chain_id))];

  const sent = await client.getTransactionReceipt({ hash: tx_hash });
  const stands = sent.status === "success" && sent.blockNumber === BigInt(block_number) && sent.blockHash === block_hash;
  const events = parseEventLogs({ abi, eventName: "BatchConfirmed", args: { root }, logs: sent.logs });
  const list = (entries: readonly { word: bigint; mask: bigint }[]) => entries.map(({ word, mask }) => `${word}:${mask}`).join();
  const ours = events.filter((event) => event.address.toLowerCase() === address && list(event.args.entries) === list(entries));
  yield ["event: BatchConfirmed with the root and the entries, in the receipt's block", stands && ours.length > 0];
  const block = await client.getBlock({ blockNumber: BigInt(block_number) });
  yield ["canonical: the block is part of the chain", block.hash === block_hash];
  // A chain that knows no finality answers with an error of its own, which says nothing against the receipt.
  const final = await client.getBlock({ blockTag: "finalized" }).catch((error: unknown) => { if (isSilence(error)) throw error; });
  yield ["finality: nothing takes the block back", !!final && final.number >= BigInt(block_number) ? true : "not yet"];

  const index = BigInt(leaf.index);
  const isSet = await client.readContract({ abi, address, functionName: "isConfirmed", args: [index] });
  yield ["bit: the registry's bit of the index is set", isSet];
  const { job_id: jobId, submitter, result_hash: resultHash, status, content_hash: contentHash, handle } = leaf;
  const args = [root, entries, { index, jobId, submitter, resultHash, status, contentHash, handle }, proof] as const;
  const verdict = await client.readContract({ abi, address, functionName: "verifyInclusion", args });
  yield ["verdict: the registry itself verifies the leaf", verdict];
}

async function* checks(receipt: Receipt, options: Options): AsyncGenerator<Told> {
  const { root, result } = options;
  yield* offline(receipt);
  if (root) yield ["root: the given one", receipt.root === root.toLowerCase()];
  else yield* onChain(receipt, options);
  const fits = (file: string) => sha256(readFileSync(file)) === receipt.leaf.result_hash;
  if (result) yield ["result: the file's SHA-256 is the leaf's result hash", fits(result)];
}

const marks = { true: "ok  ", false: "FAIL", "not yet": "wait", "not checked": "-   " };

type Say = (line: string) => void;

/** The command: says line by line what it found, and answers its exit code. */
export async function run(args: string[], say: Say = console.log, complain: Say = console.error): Promise<number> {
  let read;
  try {
    const one = { type: "string" } as const;
    const known = { rpc: one, registry: one, "code-hash": one, root: one, result: one };
    const { values, positionals } = parseArgs({ args, allowPositionals: true, options: known });
    const options = { rpc: process.env.ZAMA_RPC, registry: process.env.ZAMA_REGISTRY, ...values };
    if (positionals.length !== 1 || (!options.rpc && !options.root)) throw new Error("give a receipt, and --rpc URL or --root 0x…");
    read = { receipt: parseReceipt(readFileSync(positionals[0] ?? "", "utf8")), options };
  } catch (error) {
    complain(`verify: ${(error as Error).message}`);
    return 2;
  }
  let [verified, answered] = [true, true];
  try {
    for await (const [what, passed] of checks(read.receipt, read.options)) {
      say(`${marks[`${passed}`]}  ${what}${passed === "not checked" ? ": not checked" : ""}`);
      verified &&= !!passed;
    }
  } catch (error) {
    answered = !isSilence(error);
    verified &&= !answered;
    say(`${answered ? "FAIL" : "????"}  ${(error as Error).message.split("\n")[0]}`);
  }
  // One failed check is a verdict, whatever else could not be asked; no answer is none.
  const verdict = !verified ? "does not verify" : answered ? "verifies" : "could not be checked";
  say(`The receipt ${verdict}.`);
  return !verified ? 7 : answered ? 0 : 8;
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) process.exit(await run(process.argv.slice(2)));
