import { isUtf8 } from 'node:buffer';
import type { z } from 'zod';
import type { GatewayContext } from '../exchange.ts';
import { gatewayProblem, type ProblemField } from '../problem.ts';
import { readBody } from './body-bytes.ts';
import { assertModestJson } from './modest-json.ts';
import { turnToParse } from './turn-to-parse.ts';

const jsonMediaType = /^application\/(?:[a-z0-9.!#$&^_+-]+\+)?json\s*(?:;|$)/i;
const charset = /;\s*charset\s*=\s*"?([^";\s]+)/i;
const maxReportedFields = 20;

/**
 * The body as the schema's output, read once and validated once.
 * @throws HttpProblem 415, 413, 400 `invalid_json` or 422 `validation`; ClientGone.
 */
export async function readJson<S extends z.ZodType>(
  context: GatewayContext,
  schema: S,
  maxBytes: number,
): Promise<z.output<S>> {
  return (await readJsonBytes(context, schema, maxBytes)).value;
}

/** The same with the bytes it was read from, for who passes it on as it came. @throws as readJson. */
export async function readJsonBytes<S extends z.ZodType>(
  context: GatewayContext,
  schema: S,
  maxBytes: number,
): Promise<{ value: z.output<S>; bytes: Buffer }> {
  assertJsonType(context.req.header('content-type'));
  assertNotEncoded(context.req.header('content-encoding'));
  const bytes = await readBody(context, maxBytes);
  const turn = turnToParse(bytes.length);
  // Hardly ever a promise, and a turn of the event loop is not for nothing.
  if (turn !== undefined) await turn;
  const parsed = schema.safeParse(parseJson(bytes));
  if (parsed.success) return { value: parsed.data, bytes };
  const errors = fieldsOf(parsed.error);
  throw gatewayProblem('validation', {
    detail:
      errors.length === 1
        ? 'One field is not as this route takes it; errors says which.'
        : 'Some fields are not as this route takes them; errors says which.',
    errors,
  });
}

/** A missing type is refused too: browsers send typeless bodies across sites without asking first. */
function assertJsonType(contentType: string | undefined): void {
  const encoding = contentType === undefined ? undefined : charset.exec(contentType)?.[1];
  const fits =
    contentType !== undefined &&
    jsonMediaType.test(contentType) &&
    (encoding === undefined || /^utf-?8$/i.test(encoding));
  if (fits) return;
  throw gatewayProblem('unsupported_media_type', {
    detail: 'Send the body as UTF-8 with the header Content-Type: application/json.',
  });
}

/** A compressed body would have to be inflated before it can be counted: a few bytes become gigabytes. */
export function assertNotEncoded(contentEncoding: string | undefined): void {
  if (contentEncoding === undefined || /^identity$/i.test(contentEncoding)) return;
  throw gatewayProblem('unsupported_media_type', { detail: 'Send the body without a Content-Encoding.' });
}

function parseJson(bytes: Buffer): unknown {
  if (bytes.length === 0) {
    throw gatewayProblem('invalid_json', { detail: 'The body is empty. Send a JSON object.' });
  }
  if (!isUtf8(bytes)) {
    throw gatewayProblem('invalid_json', { detail: 'The body is not valid UTF-8.' });
  }
  assertModestJson(bytes);
  try {
    return JSON.parse(bytes.toString());
  } catch (error) {
    throw gatewayProblem('invalid_json', { detail: whereJsonBreaks(error) });
  }
}

/** V8 quotes a piece of the body in its message; what is passed on is only where it stopped. */
function whereJsonBreaks(error: unknown): string {
  const message = error instanceof Error ? error.message : '';
  if (/end of JSON input|Unterminated string/.test(message)) return 'The body ends before its JSON does.';
  const at = /at position (\d+)/.exec(message)?.[1];
  return at === undefined ? 'The body is not JSON.' : `The JSON is broken at character ${at}.`;
}

/** Zod's issues as JSON pointers; an unknown field is named where it stands. */
export function fieldsOf(error: z.ZodError): ProblemField[] {
  const fields: ProblemField[] = [];
  for (const issue of error.issues) {
    if (issue.code === 'unrecognized_keys') {
      for (const key of issue.keys.slice(0, maxReportedFields)) {
        fields.push({ pointer: pointerTo([...issue.path, key]), message: 'is not a known field' });
      }
    } else {
      const missing = issue.code === 'invalid_type' && issue.message.endsWith('received undefined');
      fields.push({ pointer: pointerTo(issue.path), message: missing ? 'is required' : issue.message });
    }
    if (fields.length >= maxReportedFields) break;
  }
  return fields.slice(0, maxReportedFields);
}

export function pointerTo(path: readonly PropertyKey[]): string {
  return path
    .map((part) => `/${String(part).slice(0, 100).replaceAll('~', '~0').replaceAll('/', '~1')}`)
    .join('');
}
