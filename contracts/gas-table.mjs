// Makes the README's gas table from what test/gas/GasTable.t.sol measured.
//   node gas-table.mjs FOLDER README [--check]      each file in FOLDER: JSON objects, a line {way, size, data} for each
//                                                   transaction, a line {way, size, gas} with the mean of a job's gas
import { createHash } from "node:crypto";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const SIZES = [1, 10, 100, 1000];
const WAYS = [
  ["single digest", "a digest in one slot, a transaction a job"],
  ["five-slot struct", "the job's facts in five slots, a transaction a job"],
  ["batch of digests", "a batch of digests, a slot each"],
  ["confirmBatch", "**ours**: `confirmBatch`"],
  ["confirmBatchSigned", "ours, relayed: `confirmBatchSigned`"],
  ["confirmJob", "ours, a single: `confirmJob`"],
];
// EIP-7825: what one transaction may use at most.
const GAS_CAP = 2 ** 24;

const hash = (text) => createHash("sha256").update(text).digest();

/** RLP of a byte string or a list. */
function rlp(item) {
  const list = Array.isArray(item);
  const body = list ? Buffer.concat(item.map(rlp)) : item;
  if (!list && body.length === 1 && body[0] < 0x80) return body;
  const base = list ? 0xc0 : 0x80;
  if (body.length < 56) return Buffer.concat([Buffer.from([base + body.length]), body]);
  const length = Buffer.from(body.length.toString(16).replace(/^(?=(..)*.$)/, "0"), "hex");
  return Buffer.concat([Buffer.from([base + 55 + length.length]), length, body]);
}

/** The signed EIP-1559 transaction that carries `data`, with a signature, address and fees of the usual sizes. */
function transaction(data) {
  const hex = (digits) => Buffer.from(digits, "hex");
  const fields = ["2105", "01f4", "0f4240", "3b9aca00", "0f4240"].map(hex);
  const to = hash("registry").subarray(0, 20);
  const none = Buffer.alloc(0);
  return Buffer.concat([hex("02"), rlp([...fields, to, none, data, [], hex("01"), hash("r"), hash("s")])]);
}

/** Length of `input` after FastLZ (level 1), the estimate that OP-stack chains charge for since Fjord. */
export function fastlzLength(input) {
  const [window, longest, tail] = [0x2000, 262, 13];
  const table = new Uint32Array(window);
  const three = (at) => input[at] | (input[at + 1] << 8) | (input[at + 2] << 16);
  const remember = (at) => {
    const slot = (Math.imul(three(at), 2654435769) >>> 19) & (window - 1);
    const before = table[slot];
    table[slot] = at;
    return before;
  };
  const literals = (count) => Math.floor(count / 32) * 33 + (count % 32 ? (count % 32) + 1 : 0);
  const limit = Math.max(0, input.length - tail);
  let [length, written, at] = [0, 0, 2];
  while (at < limit) {
    const before = remember(at);
    if (at - before >= window || three(before) !== three(at)) {
      at += 1;
    } else if (at + 1 >= limit) {
      break;
    } else {
      const room = limit + 6 - at;
      let same = 0;
      while (same < room && input[before + 3 + same] === input[at + 3 + same]) same += 1;
      const step = Math.min(same + 1, room);
      length += literals(at - written) + Math.floor((step - 1) / longest) * 3 + ((step - 1) % longest >= 6 ? 3 : 2);
      at += step;
      remember(at);
      remember(at + 1);
      at += 2;
      written = at;
    }
  }
  return length + literals(input.length - written);
}

/** Bytes that an OP-stack chain charges for since Fjord: a regression on FastLZ, at least 100. */
const fjordSize = (signed) => Math.max(100, (-42_585_600 + 836_500 * fastlzLength(signed)) / 1e6);

const number = (value) => Math.round(value).toLocaleString("en-US");
const decimal = (value) => (value < 20 ? value.toFixed(1) : number(value));

function render(rows) {
  const find = (way, size) => {
    const measured = rows.filter((row) => row.way === way && row.size === size);
    const calls = measured.filter(({ data }) => data).map(({ data }) => Buffer.from(data.slice(2), "hex"));
    return measured.length ? { gas: measured.find(({ gas }) => gas).gas, calls } : undefined;
  };
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const line = (cells) => `| ${cells.join(" | ")} |`;
  const table = (title, cell) => {
    const body = WAYS.map(([way, label]) => {
      // Without a batch a thousand jobs cost each as much as one.
      const alone = !find(way, 1000);
      return line([label, ...SIZES.map((size) => cell(find(way, alone ? 1 : size), alone ? 1 : size))]);
    });
    return [line([title, ...SIZES.map((size) => number(size))]), line(["---", ...SIZES.map(() => "---:")]), ...body].join("\n");
  };
  const gas = table("gas a job, in batches of", (row, size) => `${number(row.gas)}${row.gas * size > GAS_CAP ? "¹" : ""}`);
  const data = table("bytes a job, in batches of", (row, size) => {
    const bytes = mean(row.calls.map((call) => call.length));
    const charged = mean(row.calls.map((call) => fjordSize(transaction(call))));
    return `${decimal(bytes / size)} / ${decimal(charged / size)}`;
  });
  return `${gas}

¹ more than one transaction may use (EIP-7825).

On an L2 the data is what costs. Means over the same batches, which fill whole words of the bitmap: bytes of calldata, and behind the stroke the compressed bytes that an OP-stack chain charges for (Fjord: max(100, 0.8365 · FastLZ − 42.5856) of the signed transaction, each at 16 · base fee scalar · L1 base fee + blob scalar · L1 blob base fee).

${data}`;
}

function main([folder, readme, check]) {
  const lines = readdirSync(folder).flatMap((file) => readFileSync(join(folder, file), "utf8").trim().split("\n"));
  const table = render(lines.map((text) => JSON.parse(text)));
  const text = readFileSync(readme, "utf8");
  const [begin, end] = ["<!-- gas table: contracts/gas-table.sh -->\n", "\n<!-- end of the gas table -->"];
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < 0) throw new Error(`${readme} has no place for the gas table`);
  const updated = text.slice(0, from + begin.length) + table + text.slice(to);
  if (check === undefined) {
    console.log(table);
    writeFileSync(readme, updated);
  } else if (updated !== text) {
    throw new Error(`the gas table in ${readme} is stale; run contracts/gas-table.sh`);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main(process.argv.slice(2));
