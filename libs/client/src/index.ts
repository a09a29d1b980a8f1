export { createClient, type Question, type VortexClient } from './client.ts';
export type { CollectionCalls } from './collection-calls.ts';
export type { DeadLetterCalls } from './dead-letter-calls.ts';
export type { DocumentCalls, DocumentFilter, UploadOptions } from './document-calls.ts';
export { ApiProblem, GatewayUnreachable, isPassing } from './errors.ts';
export type { JobCalls } from './job-calls.ts';
export { FileShrank } from './multipart.ts';
export type { QueryEvent } from './query-events.ts';
export type { CallOptions } from './transport.ts';
