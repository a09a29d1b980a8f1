import { readFileSync } from 'node:fs';
import { Ajv, type ValidateFunction } from 'ajv';
import formats from 'ajv-formats';

/**
 * Checks requests and replies against an OpenAPI 3.0 document, stricter than the letter of it: a property
 * that no schema names is a mistake (a server would ignore a misspelt one in silence), and `nullable`
 * standing alone means null and nothing else.
 */
export interface OpenApiValidator {
  /** Null when the request is one that the document describes; else what is wrong with it. */
  request(request: { method: string; url: URL; body: unknown }): string | null;
  /** The same for the body of a successful reply to it. */
  reply(request: { method: string; url: URL }, body: unknown): string | null;
}

interface Schema {
  [keyword: string]: unknown;
}
interface Parameter {
  name: string;
  in: string;
  required?: boolean;
  schema: Schema;
}
interface Content {
  content?: { 'application/json'?: { schema: Schema } };
}
interface Operation {
  parameters?: Parameter[];
  requestBody?: Content;
  responses: Record<string, Content>;
}
interface OpenApiDocument {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema> };
}

export function openApiValidator(file: string): OpenApiValidator {
  const document: OpenApiDocument = JSON.parse(readFileSync(file, 'utf8'));
  const ajv = new Ajv({ strict: false, allErrors: false });
  formats.default(ajv);
  for (const name of ['uint', 'uint8', 'uint32', 'uint64', 'partial-date-time']) ajv.addFormat(name, true);
  ajv.addSchema({ $id: 'openapi', components: { schemas: jsonSchema(document.components.schemas) } });

  const compiled = new Map<string, ValidateFunction>();
  function check(key: string, schema: Schema, value: unknown): string | null {
    const validate = compiled.get(key) ?? ajv.compile(jsonSchema(schema) as Schema);
    compiled.set(key, validate);
    return validate(value) ? null : `${key}: ${ajv.errorsText(validate.errors)}`;
  }

  function find({ method, url }: { method: string; url: URL }) {
    const path = decodeURIComponent(url.pathname);
    for (const [template, operations] of Object.entries(document.paths)) {
      const pattern = new RegExp(`^${template.replace(/\{[^}]+\}/g, '([^/]+)')}$`);
      const operation = operations[method.toLowerCase()];
      if (pattern.test(path) && operation !== undefined) return { key: `${method} ${template}`, operation };
    }
    return null;
  }

  return {
    request({ method, url, body }) {
      const found = find({ method, url });
      if (found === null) return `${method} ${url.pathname} is not in the document`;
      const { key, operation } = found;
      const queried = (operation.parameters ?? []).filter((parameter) => parameter.in === 'query');
      for (const [name, text] of url.searchParams) {
        const parameter = queried.find((one) => one.name === name);
        if (parameter === undefined) return `${key}: unknown query parameter ${name}`;
        const value = /^(true|false|\d+)$/.test(text) ? JSON.parse(text) : text;
        const problem = check(`${key} ?${name}`, parameter.schema, value);
        if (problem !== null) return problem;
      }
      const schema = operation.requestBody?.content?.['application/json']?.schema;
      if (schema === undefined) return body === undefined ? null : `${key}: takes no body`;
      return check(`${key} body`, schema, body);
    },
    reply(request, body) {
      const found = find(request);
      const schema = found?.operation.responses['200']?.content?.['application/json']?.schema;
      return found === null || schema === undefined ? null : check(`${found.key} reply`, schema, body);
    },
  };
}

/** OpenAPI 3.0's dialect as JSON Schema: references, `nullable`, and objects closed to unknown properties. */
function jsonSchema(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(jsonSchema);
  if (typeof schema !== 'object' || schema === null) return schema;
  const { nullable, ...rest } = schema as Schema;
  if (nullable === true && Object.keys(rest).length === 0) return { type: 'null' };
  const converted: Schema = {};
  for (const [keyword, value] of Object.entries(rest)) {
    const isReference = keyword === '$ref' && typeof value === 'string';
    converted[keyword] = isReference ? value.replace(/^#/, 'openapi#') : jsonSchema(value);
  }
  const closed = converted.type === 'object' && 'properties' in converted && !('allOf' in converted);
  if (closed && !('additionalProperties' in converted)) converted.additionalProperties = false;
  return nullable === true ? { anyOf: [converted, { type: 'null' }] } : converted;
}
