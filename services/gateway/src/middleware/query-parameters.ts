import type { z } from 'zod';
import type { GatewayContext } from '../exchange.ts';
import { gatewayProblem } from '../problem.ts';
import { fieldsOf } from './json-body.ts';

/** @throws HttpProblem 422 that names every parameter that is unknown or not as it must be. */
export function readQuery<S extends z.ZodType>(context: GatewayContext, schema: S): z.output<S> {
  const parsed = schema.safeParse(context.req.query());
  if (parsed.success) return parsed.data;
  throw gatewayProblem('validation', {
    detail: 'A query parameter is not as this route takes it; errors says which.',
    errors: fieldsOf(parsed.error),
  });
}
