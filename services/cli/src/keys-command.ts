import { join } from 'node:path';
import { createClient, type KeyCalls } from '@vortex/client';
import {
  defaultTenant,
  type KeyLimits,
  type KeyResponse,
  type KeyScope,
  type KeyWithSecret,
} from '@vortex/contracts';
import type { Registry } from '@vortex/registry';
import { dataFolder, instancePaths } from './folders.ts';
import {
  gatewayOf,
  gatewayUrl,
  type InstanceOptions,
  runningInstance,
  withLocalKey,
} from './instance-address.ts';
import { CommandProblem } from './problem.ts';
import { checkSettings } from './settings.ts';
import { table } from './table.ts';
import { printJson } from './use-gateway.ts';

// Keys are made where the instance is: by its gateway when it runs, with the authority of the machine; else in its
// registry, so that an instance can have its first key before anybody can reach it.

type Keys = Pick<KeyCalls, 'create' | 'list' | 'rotate' | 'revoke'>;

export async function createKey(
  options: InstanceOptions & {
    tenant?: string;
    scopes: KeyScope[];
    collections?: string[];
    name?: string;
    expires?: string;
    limits?: KeyLimits;
    json: boolean;
  },
): Promise<void> {
  const { tenant, scopes, collections, name, expires, limits } = options;
  const made = await useKeys(options, (keys) =>
    keys.create({
      scopes,
      ...(tenant !== undefined && { tenant }),
      ...(collections !== undefined && { collections }),
      ...(name !== undefined && { name }),
      ...(expires !== undefined && { expires_at: expires }),
      ...(limits !== undefined && { limits }),
    }),
  );
  if (options.json) printJson(made);
  else console.log(describeSecret(made));
}

export async function listKeys(options: InstanceOptions & { json: boolean }): Promise<void> {
  const { keys } = await useKeys(options, (calls) => calls.list());
  if (options.json) printJson({ keys });
  else console.log(describeKeys(keys));
}

export async function rotateKey(
  id: string,
  options: InstanceOptions & { overlap: number; json: boolean },
): Promise<void> {
  const overlap = Math.ceil(options.overlap / 1000);
  const rotated = await useKeys(options, (keys) => keys.rotate(id, { overlap_s: overlap }));
  if (options.json) printJson(rotated);
  else console.log(describeSecret(rotated));
}

export async function revokeKeys(
  ids: readonly string[],
  options: InstanceOptions & { json: boolean },
): Promise<void> {
  await useKeys(options, async (keys) => {
    for (const id of ids) {
      await keys.revoke(id);
      if (options.json) printJson({ id, state: 'revoked' });
      else console.log(`${id}: revoked`);
    }
  });
}

function describeSecret({
  key,
  tenant,
  scopes,
  collections,
  limits,
  expires_at,
  overlap_until,
}: KeyWithSecret): string {
  const bounds = [
    `tenant ${tenant}`,
    scopes.join(', '),
    collections === null ? 'all collections' : `collections ${collections.join(', ')}`,
    ...(limits === null ? [] : [describeLimits(limits)]),
    expires_at === null ? 'does not expire' : `until ${expires_at}`,
  ];
  const overlap = overlap_until === null ? [] : [`The secret before it holds until ${overlap_until}.`];
  return [key, '', `For ${bounds.join('; ')}.`, ...overlap, 'This is the only time it is shown.'].join('\n');
}

/** As `--limits` takes them. */
function describeLimits(limits: KeyLimits | null): string {
  return Object.entries(limits ?? {})
    .map(([name, value]) => `${name}=${value}`)
    .join(',');
}

function describeKeys(keys: readonly KeyResponse[]): string {
  if (keys.length === 0) return 'No keys.';
  return table(
    ['key', 'tenant', 'name', 'scopes', 'collections', 'limits', 'state', 'expires', 'last used'],
    keys.map((key) => [
      ...[key.id, key.tenant, key.name ?? '', key.scopes.join(',')],
      ...[
        key.collections?.join(',') ?? 'all',
        describeLimits(key.limits),
        key.state,
        key.expires_at ?? 'never',
        key.last_used_at ?? 'never',
      ],
    ]),
  );
}

async function useKeys<T>(options: InstanceOptions, use: (keys: Keys) => Promise<T>): Promise<T> {
  const data = dataFolder(options.data);
  const run = options.url === undefined ? runningInstance(data) : null;
  if (options.url === undefined && run === null) return useRegistry(data, use);
  // A key of the environment is for questions; whoever is at the machine must not be locked out by it.
  const asks = run === null || options.apiKey !== undefined;
  const client = createClient(
    asks ? gatewayOf(options) : withLocalKey(gatewayUrl({ data }), instancePaths(data)),
  );
  try {
    return await use(client.keys);
  } finally {
    await client.close();
  }
}

/** Nothing runs: the registry itself, as the configuration names it. */
async function useRegistry<T>(data: string, use: (keys: Keys) => Promise<T>): Promise<T> {
  const { registry: place, auth } = checkSettings([], process.env).settings.gateway;
  const { openRegistry, readPepper } = await import('@vortex/registry');
  const pepper = await readPepper(data, auth.pepper);
  const registry = await openRegistry({ databaseUrl: place.database_url, file: join(data, 'registry.db') });
  try {
    return await use(await keysOf(registry, pepper));
  } finally {
    await registry.close();
  }
}

/** As the gateway does for its own (records/audit-trail.ts). */
function noteAct(registry: Registry, tenant: string, act: string, target: string): Promise<void> {
  return registry.recordAdminAct({
    tenant,
    keyId: 'local',
    act,
    target,
    status: 200,
    requestId: 'vortex keys',
  });
}

async function keysOf(registry: Registry, pepper: Buffer): Promise<Keys> {
  const { issueKey, keyResponseOf, reissueKey } = await import('@vortex/registry');
  const known = async (id: string) => {
    const key = await registry.findKey(id);
    if (key !== null) return key;
    throw new CommandProblem(`There is no key ${id}.`, { ways: ['keys list shows them'] });
  };
  return {
    async create(request) {
      if (request.collections !== undefined && request.scopes.includes('admin')) {
        throw new CommandProblem(
          'A key with the scope admin sees all of its tenant: leave --collections out.',
          {
            exitCode: 2,
          },
        );
      }
      const tenant = request.tenant ?? defaultTenant;
      const made = await issueKey(registry, pepper, {
        tenant,
        name: request.name ?? null,
        scopes: request.scopes,
        collections: request.collections ?? null,
        limits: request.limits ?? null,
        expiresAt: request.expires_at === undefined ? null : Date.parse(request.expires_at),
      });
      await noteAct(registry, tenant, 'POST /api/keys', `/api/keys/${made.id}`);
      return made;
    },
    list: async () => ({ keys: (await registry.listKeys(null)).map(keyResponseOf) }),
    async rotate(id, { overlap_s = 0 } = {}) {
      const { tenant } = await known(id);
      const rotated = await reissueKey(registry, pepper, { tenant, id, overlapMs: overlap_s * 1000 });
      if (rotated !== null) {
        await noteAct(registry, tenant, 'POST /api/keys/{id}/rotate', `/api/keys/${id}/rotate`);
        return rotated;
      }
      throw new CommandProblem(`The key ${id} has expired or was revoked.`, {
        ways: ['Make a new one: keys create'],
      });
    },
    async revoke(id) {
      const { tenant } = await known(id);
      await registry.revokeKey(tenant, id);
      await noteAct(registry, tenant, 'DELETE /api/keys/{id}', `/api/keys/${id}`);
    },
  };
}
