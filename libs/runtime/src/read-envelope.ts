import {
  envelopeVersion,
  type FailureCode,
  type InputOf,
  maxElementBytes,
  type StageName,
  type StageRow,
  stages,
} from '@vortex/contracts';
import {
  derivedId,
  type ElementHeader,
  headerOf,
  maxElementNesting,
  nestsTooDeep,
  readElementHeader,
} from '@vortex/queue';

/** An element as its stage sees it, or why it cannot be read. Never throws: the worker goes on. */
export type ReadEnvelope<Stage extends StageName> =
  | { kind: 'readable'; input: InputOf<Stage>; derivedId?: true }
  | { kind: 'unreadable'; code: FailureCode; reason: string; header: ElementHeader | null };

/** Above this, an oversized element is not even parsed for its id. */
const maxParsedBytes = 16 * 1024 * 1024;
/** The reason stands in the letter, the completion and the log; a forged envelope had one of a megabyte. */
const maxReasonCharacters = 1000;

export function readEnvelope<Stage extends StageName>(
  stage: Stage,
  element: string | Buffer,
): ReadEnvelope<Stage> {
  const row: StageRow = stages[stage];
  if (typeof element !== 'string') return unreadable('invalid_envelope', 'the bytes are not valid UTF-8');

  const bytes = element.length * 3 < maxElementBytes[row.lane] ? 0 : Buffer.byteLength(element);
  if (bytes > maxElementBytes[row.lane]) {
    const header = bytes <= maxParsedBytes ? readElementHeader(element) : null;
    const reason = `the element has ${bytes} bytes; at most ${maxElementBytes[row.lane]} are read`;
    return unreadable('envelope_too_large', reason, header);
  }

  const { fields, problem } = parse(element);
  if (fields === null) return unreadable('invalid_envelope', problem);
  if (fields.v !== undefined && fields.v !== envelopeVersion) {
    const reason = `version ${JSON.stringify(fields.v)} is unknown; this worker reads ${envelopeVersion}`;
    return unreadable('unsupported_version', reason, headerOf(fields));
  }
  const derives = row.idFromBytes === true && fields.id === undefined;
  // Nobody admitted it; that it is tracked from here on lets people see it.
  if (derives) Object.assign(fields, { id: derivedId(element), track: true });

  const parsed = row.input.safeParse(fields);
  if (parsed.success) {
    return { kind: 'readable', input: parsed.data as InputOf<Stage>, ...(derives && { derivedId: true }) };
  }
  const issues = parsed.error.issues.map(
    ({ path, message }) => `${path.join('.') || 'envelope'}: ${message}`,
  );
  return unreadable('invalid_envelope', issues.join('; '), headerOf(fields));
}

function unreadable(
  code: FailureCode,
  reason: string,
  header: ElementHeader | null = null,
): { kind: 'unreadable'; code: FailureCode; reason: string; header: ElementHeader | null } {
  const shown =
    reason.length <= maxReasonCharacters
      ? reason
      : `${reason.slice(0, maxReasonCharacters).toWellFormed()} …`;
  return { kind: 'unreadable', code, reason: shown, header };
}

function parse(element: string): { fields: Record<string, unknown> | null; problem: string } {
  if (nestsTooDeep(element)) {
    return { fields: null, problem: `the element nests more than ${maxElementNesting} levels deep` };
  }
  try {
    const value: unknown = JSON.parse(element);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      return { fields: null, problem: 'the element is JSON, but no object' };
    }
    return { fields: value as Record<string, unknown>, problem: '' };
  } catch (error) {
    const problem = `the element is not JSON: ${error instanceof Error ? error.message : String(error)}`;
    return { fields: null, problem };
  }
}
