// Prints the part of a forge artifact that is committed: ABI, both bytecodes and where the immutables stand in the code.
// Left out is everything that depends on the machine (paths, AST ids).
import { readFileSync } from "node:fs";

const { abi, bytecode, deployedBytecode } = JSON.parse(readFileSync(process.argv[2], "utf8"));
const immutables = Object.values(deployedBytecode.immutableReferences)
  .flat()
  .sort((a, b) => a.start - b.start);
const artifact = {
  abi,
  bytecode: { object: bytecode.object },
  deployedBytecode: { object: deployedBytecode.object, immutables },
};
console.log(JSON.stringify(artifact, null, 2));
