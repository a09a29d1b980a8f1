import { type CreateKeyRequest, defaultOverlapSeconds } from '@vortex/contracts';
import { issueKey, type KeyRecord, keyResponseOf, reissueKey } from '@vortex/registry';
import type { Caller } from '../access/caller.ts';
import type { GatewayParts } from '../dependencies.ts';
import type { Endpoint } from '../endpoint.ts';
import { type Exchange, type GatewayContext, jsonAnswer, noContent } from '../exchange.ts';
import { readJson } from '../middleware/json-body.ts';
import { jsonBody, jsonContent, pathId, schemas } from '../openapi-schemas.ts';
import { gatewayProblem, type HttpProblem } from '../problem.ts';

const access = 'admin' as const;
const tag = 'keys' as const;
const itsId = 'The part of the key between `vx_` and its secret.';

/**
 * `/api/keys…`: keys of the caller's tenant; with the authority of the machine, of every tenant. What a call has
 * changed is in force at this gateway when it is answered, at the others within half a second.
 */
export function keyEndpoints(parts: GatewayParts): Endpoint[] {
  return [
    {
      method: 'post',
      path: '/api/keys',
      access,
      tag,
      summary: 'Make a key',
      description:
        'The first one closes the door: from then on every request must bring one (unless `auth.mode` is `open`). ' +
        '`key` is shown in this answer and nowhere else. A key is for its tenant’s documents, for what its scopes say, ' +
        'and, if `collections` are named, for these.',
      request: jsonBody(schemas.createKeyRequest, {
        name: 'shop',
        scopes: ['query'],
        collections: ['handbook'],
      }),
      responses: { 201: jsonContent(schemas.keyWithSecret, 'Made; keep `key`.') },
      problems: [400, 413, 415, 422, 503],
      handle: (context, exchange) => createKey(parts, context, exchange),
    },
    {
      method: 'get',
      path: '/api/keys',
      access,
      tag,
      summary: 'List keys',
      responses: {
        200: jsonContent(schemas.keyList, 'Newest first, revoked ones too, without their secrets.'),
      },
      problems: [503],
      async handle(_context, exchange) {
        const { caller } = exchange;
        const keys = await parts.registry.listKeys(caller.isLocal ? null : caller.tenant);
        return jsonAnswer(exchange, { keys: keys.map(keyResponseOf) });
      },
    },
    {
      method: 'get',
      path: '/api/keys/{id}',
      access,
      tag,
      summary: 'Show a key',
      request: pathId(itsId),
      responses: { 200: jsonContent(schemas.key, 'The key, without its secret.') },
      problems: [404, 503],
      handle: async (context, exchange) =>
        jsonAnswer(exchange, keyResponseOf(await knownKey(parts, context, exchange.caller))),
    },
    {
      method: 'post',
      path: '/api/keys/{id}/rotate',
      access,
      tag,
      summary: 'Give a key a new secret',
      description: `The secret before it holds for \`overlap_s\` more (default ${defaultOverlapSeconds}, a day; 0: not at all).`,
      request: { ...pathId(itsId), ...jsonBody(schemas.rotateKeyRequest, { overlap_s: 3600 }, false) },
      responses: { 200: jsonContent(schemas.keyWithSecret, 'The new key; keep `key`.') },
      problems: [400, 404, 409, 413, 415, 422, 503],
      handle: (context, exchange) => rotateKey(parts, context, exchange),
    },
    {
      method: 'delete',
      path: '/api/keys/{id}',
      access,
      tag,
      summary: 'Revoke a key',
      description: 'For good, with both secrets of a key under rotation. It stays in the list.',
      request: pathId(itsId),
      responses: { 204: { description: 'It opens nothing any more.' } },
      problems: [404, 503],
      async handle(context, exchange) {
        const { tenant, id } = await knownKey(parts, context, exchange.caller);
        await parts.registry.revokeKey(tenant, id);
        await parts.keyring.refresh();
        return noContent(exchange, {});
      },
    },
  ];
}

async function createKey(
  parts: GatewayParts,
  context: GatewayContext,
  exchange: Exchange,
): Promise<Response> {
  const request = await readJson(context, schemas.createKeyRequest, parts.settings.max_body_bytes);
  const tenant = tenantFor(request, exchange.caller);
  const expiresAt = request.expires_at === undefined ? null : Date.parse(request.expires_at);
  if (expiresAt !== null && expiresAt <= Date.now()) {
    throw gatewayProblem('validation', {
      detail: 'The key would have expired before it was made.',
      errors: [{ pointer: '/expires_at', message: 'is in the past' }],
    });
  }
  const made = await issueKey(parts.registry, parts.pepper, {
    ...{ tenant, expiresAt, scopes: request.scopes },
    name: request.name ?? null,
    collections: request.collections ?? null,
    limits: request.limits ?? null,
  });
  await parts.keyring.refresh();
  return jsonAnswer(exchange, made, 201, { Location: `/api/keys/${made.id}` });
}

function tenantFor({ tenant }: CreateKeyRequest, caller: Caller): string {
  if (tenant === undefined || tenant === caller.tenant || caller.isLocal) return tenant ?? caller.tenant;
  throw gatewayProblem('tenant_forbidden', {
    detail:
      'A key makes keys of its own tenant only. Those of other tenants are made on the machine: ' +
      './vortex keys create --tenant NAME.',
  });
}

async function rotateKey(
  parts: GatewayParts,
  context: GatewayContext,
  exchange: Exchange,
): Promise<Response> {
  const isBare = context.req.header('content-type') === undefined;
  const { overlap_s: overlap } = isBare
    ? schemas.rotateKeyRequest.parse({})
    : await readJson(context, schemas.rotateKeyRequest, parts.settings.max_body_bytes);
  const { tenant, id } = await knownKey(parts, context, exchange.caller);
  const rotated = await reissueKey(parts.registry, parts.pepper, { tenant, id, overlapMs: overlap * 1000 });
  if (rotated === null) {
    throw gatewayProblem('key_ended', { detail: 'The key has expired or was revoked. Make a new one.' });
  }
  await parts.keyring.refresh();
  return jsonAnswer(exchange, rotated);
}

async function knownKey(parts: GatewayParts, context: GatewayContext, caller: Caller): Promise<KeyRecord> {
  const tenant = caller.isLocal ? null : caller.tenant;
  const found = await parts.registry.getKey(tenant, context.req.param('id') ?? '');
  if (found === null) throw unknownKey();
  return found;
}

function unknownKey(): HttpProblem {
  return gatewayProblem('not_found', { detail: 'There is no such key. GET /api/keys lists them.' });
}
