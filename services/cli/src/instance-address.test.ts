import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { instancePaths } from './folders.ts';
import { gatewayOf } from './instance-address.ts';
import { identityOf } from './supervisor/process-identity.ts';
import { type RunFile, writeRunFile } from './supervisor/run-file.ts';

let data = '';

beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'vortex-address-'));
});
afterEach(() => rmSync(data, { recursive: true }));

describe('the key a command asks with', () => {
  const url = 'http://127.0.0.1:8000';
  const env = { VORTEX_API_KEY: 'vx_env_key' };

  it('is the one that was given, whatever else there is', () => {
    expect(gatewayOf({ url, apiKey: 'vx_given_key' }, env)).toEqual({ url, key: 'vx_given_key' });
  });

  it('is the environment’s at an address, and none where that is empty', () => {
    expect(gatewayOf({ url }, env)).toEqual({ url, key: 'vx_env_key' });
    expect(gatewayOf({ url }, { VORTEX_API_KEY: '' })).toEqual({ url });
  });

  it('is the machine’s for an instance that was named by its folder: a key that has ended locks nobody out', () => {
    const supervisor = identityOf(process.pid);
    writeRunFile(instancePaths(data).runFile, {
      ...{ version: 1, phase: 'ready', failure: null, failure_log: [], supervisor, control_socket: null },
      ...{ started_at: '', host: '127.0.0.1', port: 8000, gateway_url: url, redis_url: '', cache_url: null },
      ...{ llm: 'mock', processes: [] },
    } as RunFile);
    // Another user's folder: what the environment's key may do is all there is.
    expect(gatewayOf({ data }, env)).toEqual({ url, key: 'vx_env_key' });
    writeFileSync(instancePaths(data).localKeyFile, 'vx_local_key\n');
    expect(gatewayOf({ data }, env)).toEqual({ url, key: 'vx_local_key' });
    expect(gatewayOf({ data, apiKey: 'vx_given_key' }, env)).toEqual({ url, key: 'vx_given_key' });
  });
});
