import { gatewayProblem, type HttpProblem } from '../problem.ts';
import type { Access } from './caller.ts';

export function missingScope(access: Access): HttpProblem {
  const asked = typeof access === 'string' ? access : access.join(' or ');
  return gatewayProblem('scope_missing', {
    detail: `This route asks for a key with the scope ${asked}.`,
    headers: { 'WWW-Authenticate': 'Bearer realm="vortex", error="insufficient_scope"' },
  });
}
