// Reads objects of Kubernetes, a JSON array, from stdin. Prints a line for each that has not the types of its kind. Exit code 1 if one
// was printed.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const require = createRequire(import.meta.url);
for (const object of JSON.parse(readFileSync(0, "utf8"))) {
  try {
    const kind = require(`kubernetes-models/${object.apiVersion}/${object.kind}`)[object.kind];
    new kind(object).validate();
  } catch (error) {
    console.log(`${object.kind} ${object.metadata?.name}: ${error.message}`);
    process.exitCode = 1;
  }
}
