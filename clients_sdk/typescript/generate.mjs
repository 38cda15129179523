// Writes the types of an OpenAPI document: node generate.mjs DOCUMENT OUTPUT
import { readFile, writeFile } from "node:fs/promises";
import openapiTS, { astToString, COMMENT_HEADER } from "openapi-typescript";
import ts from "typescript";

const [document, output] = process.argv.slice(2);
const BLOB = ts.factory.createTypeReferenceNode("Blob");
const types = await openapiTS(JSON.parse(await readFile(document, "utf8")), {
  // Callers may leave out what has a default.
  defaultNonNullable: false,
  // Photos are files; without this, their type would be `string`.
  transform: (schema) => (schema.format === "binary" ? BLOB : undefined),
});
await writeFile(output, COMMENT_HEADER + astToString(types));
