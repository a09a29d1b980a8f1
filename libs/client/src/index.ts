export { createClient, type Question, type VortexClient } from './client.ts';
export { ApiProblem, GatewayUnreachable } from './errors.ts';
export type { QueryEvent } from './query-events.ts';
