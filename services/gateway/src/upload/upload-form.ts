import { type UploadFields, uploadFields } from '@vortex/contracts';
import { fieldsOf, pointerTo } from '../middleware/json-body.ts';
import { gatewayProblem, type ProblemField } from '../problem.ts';

const numbers: ReadonlySet<string> = new Set(['chunk_size', 'chunk_overlap']);

/**
 * The fields of a form as the contract's values: a form knows only text, so numbers and the JSON of `metadata`
 * are read here. An empty field is refused as any other bad value is, not taken for an absent one.
 * @throws HttpProblem 422 that names every bad field.
 */
export function readUploadForm(fields: readonly { name: string; value: string }[]): UploadFields {
  const errors: ProblemField[] = [];
  // Own properties only, whatever a field is called.
  const values: Record<string, unknown> = Object.create(null);
  for (const { name, value } of fields) {
    const pointer = pointerTo([name]);
    if (name === 'file') errors.push({ pointer, message: 'must be a file with a name' });
    else if (name in values) errors.push({ pointer, message: 'must be given once' });
    else if (numbers.has(name)) {
      values[name] = /^-?\d{1,15}$/.test(value) ? Number(value) : Number.NaN;
    } else if (name === 'metadata') {
      try {
        values[name] = JSON.parse(value);
      } catch {
        errors.push({ pointer, message: 'must be JSON' });
      }
    } else values[name] = value;
  }
  const parsed = uploadFields.safeParse({ ...values });
  if (parsed.success && errors.length === 0) return parsed.data;
  if (!parsed.success) errors.push(...fieldsOf(parsed.error));
  throw gatewayProblem('validation', {
    detail: 'The form is not as this route takes it; errors says where.',
    errors: errors.slice(0, 20),
  });
}
