import { findPostgres, type PrivatePostgres, postgresMissing, startPrivatePostgres } from '@vortex/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allChunks, ingest, prose, search, upload } from './documents.ts';
import { eventually, getJson, postJson } from './http.ts';
import { type Stack, startStack } from './stack.ts';

/** The whole way once more with the registry in PostgreSQL: what only SQLite's locks made right would show here. */
