// Checks that whatever the contracts show to the outside is documented: a @notice for each type, function, event, error,
// and public variable or constant, a @title for each contract, each parameter and each return value.
//   node natspec.mjs src/*.sol
import { readFileSync } from "node:fs";

const DOC = String.raw`((?:^[ \t]*\/\/\/.*\n)*)^[ \t]*`;
const ITEM = new RegExp(DOC + String.raw`(?:(function|event|error)\s+(\w+)|(constructor))\s*\(([^)]*)\)([^{;]*)[{;]`, "gm");
// `uint48 public immutable DELAY;`, `mapping(bytes32 root => bytes32 hash) public hashes;`, whatever the order of the words.
const VARIABLE = new RegExp(
  DOC + String.raw`(?:mapping\s*\([^;]*?\)|[\w.]+(?:\[\w*\])*)((?:\s+(?:public|constant|immutable|transient|override))+)\s+(\w+)\s*[=;]`,
  "gm",
);
const TYPE = new RegExp(DOC + String.raw`(?:abstract\s+)?(contract|library|interface|struct|enum)\s+(\w+)[^;{]*\{`, "gm");

/** Names in a list of parameters; the last word of each, unless that is its type. */
const names = (list) => {
  const words = list.split(",").map((part) => part.trim().split(/\s+/));
  return words.filter((part) => part.length > 1).map((part) => part.at(-1));
};

const NOTICE = ["@notice", /@notice \S/];
const TITLE = ["@title", /@title \S/];

/** What is seen from outside: what it is called, its documentation, and what that must have. */
function* items(text) {
  for (const [, doc, kind, name = "constructor", , parameters, rest] of text.matchAll(ITEM)) {
    if (/\bprivate\b/.test(rest)) continue;
    const returned = names(rest.match(/returns\s*\(([^)]*)\)/)?.[1] ?? "");
    const wanted = [
      NOTICE,
      ...names(parameters).map((parameter) => [`@param ${parameter}`, new RegExp(`@param ${parameter} \\S`)]),
      ...returned.map((value) => [`@return ${value}`, new RegExp(`@return ${value} \\S`)]),
    ];
    yield [`${kind ?? "constructor"} ${name}`, doc, wanted];
  }
  for (const [, doc, words, name] of text.matchAll(VARIABLE)) {
    if (/\bpublic\b/.test(words)) yield [`variable ${name}`, doc, [NOTICE]];
  }
  for (const [, doc, kind, name] of text.matchAll(TYPE)) {
    yield [`${kind} ${name}`, doc, ["struct", "enum"].includes(kind) ? [NOTICE] : [TITLE, NOTICE]];
  }
}

const missing = [];
const seen = new Map();
for (const file of process.argv.slice(2)) {
  for (const [item, doc, wanted] of items(readFileSync(file, "utf8"))) {
    const [kind] = item.split(" ");
    seen.set(kind, (seen.get(kind) ?? 0) + 1);
    const absent = wanted.filter(([, pattern]) => !pattern.test(doc)).map(([what]) => what);
    if (absent.length > 0) missing.push(`${file}: ${item}: ${absent.join(", ")}`);
  }
}
for (const line of missing) console.error(line);
const found = [...seen].map(([kind, count]) => `${count} ${kind}`);
console.log(`documentation of ${found.join(", ") || "nothing"}`);
process.exit(missing.length === 0 && found.length > 0 ? 0 : 1);
