// Checks that whatever the contracts show to the outside is documented: a @notice, each parameter, each return value.
//   node natspec.mjs src/*.sol
import { readFileSync } from "node:fs";

const ITEM = /((?:^[ \t]*\/\/\/.*\n)*)^[ \t]*(?:(function|event|error)\s+(\w+)|(constructor))\s*\(([^)]*)\)([^{;]*)[{;]/gm;

/** Names in a list of parameters; the last word of each, unless that is its type. */
const names = (list) => {
  const words = list.split(",").map((part) => part.trim().split(/\s+/));
  return words.filter((part) => part.length > 1).map((part) => part.at(-1));
};

const missing = [];
let items = 0;
for (const file of process.argv.slice(2)) {
  for (const [, doc, kind, name = "constructor", , parameters, rest] of readFileSync(file, "utf8").matchAll(ITEM)) {
    if (/\bprivate\b/.test(rest)) continue;
    items += 1;
    const returned = names(rest.match(/returns\s*\(([^)]*)\)/)?.[1] ?? "");
    const wanted = [
      ["@notice", /@notice \S/],
      ...names(parameters).map((parameter) => [`@param ${parameter}`, new RegExp(`@param ${parameter} \\S`)]),
      ...returned.map((value) => [`@return ${value}`, new RegExp(`@return ${value} \\S`)]),
    ];
    const absent = wanted.filter(([, pattern]) => !pattern.test(doc)).map(([what]) => what);
    if (absent.length > 0) missing.push(`${file}: ${kind ?? ""} ${name}: ${absent.join(", ")}`);
  }
}
for (const line of missing) console.error(line);
if (items === 0) console.error("no item was found");
process.exit(missing.length === 0 && items > 0 ? 0 : 1);
