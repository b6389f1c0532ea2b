// The numbers of a run in the module, one a line.
import { readFileSync } from "node:fs";

const { instance } = await WebAssembly.instantiate(readFileSync(process.argv[2]), {});
const { count, number, refuses_to_stop_by_time } = instance.exports;
if (refuses_to_stop_by_time() !== 1) throw new Error("Stop::Time is not refused");
const lines = Array.from({ length: count() }, (_, i) => BigInt.asUintN(64, number(i)).toString(16).padStart(16, "0"));
console.log(lines.join("\n"));
