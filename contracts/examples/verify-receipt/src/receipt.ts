// The receipt's form: which fields there are and what may stand in them. Anything else is no receipt.
import type { Hex } from "viem";

export interface Entry { word: number; mask: Hex }
export interface Leaf {
  index: number; job_id: Hex; submitter: Hex; result_hash: Hex; status: number; content_hash: Hex; handle: Hex;
}
export interface Receipt {
  version: number; schema: string; leaf: Leaf; leaf_abi: Hex; leaf_hash: Hex; salt: Hex; proof: Hex[]; entries: Entry[];
  root: Hex; chain_id: number; registry: Hex; tx_hash: Hex; block_number: number; block_hash: Hex; input_hash: Hex | null;
  program_hash: Hex | null; key_hash: Hex | null; attestation: Hex | null; software: string;
}

type Form = (value: unknown) => boolean;
const text: Form = (value) => typeof value === "string";
// JSON numbers beyond 2^53 would be rounded before anybody could look at them.
const integer: Form = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
const bytes = (length?: number): Form => (value) =>
  typeof value === "string" && /^0x([0-9a-fA-F]{2})*$/.test(value) && value.length === 2 + 2 * (length ?? (value.length - 2) / 2);
const maybe = (form: Form): Form => (value) => value === null || form(value);
const list = (form: Form): Form => (value) => Array.isArray(value) && value.every(form);
const object = (fields: Record<string, Form>): Form => (value) =>
  typeof value === "object" && value !== null && Object.keys(value).every((name) => Object.hasOwn(fields, name)) &&
  Object.entries(fields).every(([name, form]) => form((value as Record<string, unknown>)[name]));

const isReceipt = object({
  version: integer, schema: text,
  leaf: object({
    index: integer, job_id: bytes(32), submitter: bytes(20), result_hash: bytes(32),
    status: (value) => value === 1 || value === 2, content_hash: bytes(32), handle: bytes(32),
  }),
  leaf_abi: bytes(), leaf_hash: bytes(32), salt: bytes(32), proof: list(bytes(32)),
  entries: list(object({ word: integer, mask: bytes(32) })), root: bytes(32), chain_id: integer, registry: bytes(20),
  tx_hash: bytes(32), block_number: integer, block_hash: bytes(32), input_hash: maybe(bytes(32)),
  program_hash: maybe(bytes(32)), key_hash: maybe(bytes(32)), attestation: maybe(bytes()), software: text,
});

/** Reads a receipt; hex is lower case afterwards. Throws when the text is none. */
export function parseReceipt(json: string): Receipt {
  const lowered = (_: string, value: unknown) => (typeof value === "string" && value.startsWith("0x") ? value.toLowerCase() : value);
  const value: unknown = JSON.parse(json, lowered);
  if (!isReceipt(value)) throw new Error("not a receipt: a field is missing, unknown or of another form");
  return value as Receipt;
}
