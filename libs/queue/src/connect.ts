import type { Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { type RedisOptions as ClientOptions, Redis } from 'ioredis';
import { observeClient, type RedisObserver } from './observe-redis.ts';
import { atTurnEnd } from './turn-end.ts';

/** `url`: redis:// or rediss://, with user, password and database number where needed. */
export interface RedisOptions {
  url: string;
  /** For rediss:// (libs/config/src/with-tls.ts). */
  tls?: Pick<ConnectionOptions, 'ca' | 'cert' | 'key' | 'servername'>;
  observer?: RedisObserver;
  /** How long an HTTP request waits for an answer of Redis: 800 ms, unless a test wants to hear it however late. */
  answerMs?: number;
}

/** The part of a logger this room uses; `@vortex/observability`'s fits. */
export interface QueueLog {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/**
 * What a connection is for decides how it fails.
 * - `fail-fast`: an HTTP request waits. No offline queue, 800 ms per command: with its own work around it
 *   the caller answers 503 within a second. A re-sent admit is harmless (DUP).
 * - `worker`: settles jobs. Retries for ever; a re-sent handoff finds its element gone and does no harm.
 * - `blocking`: one BLMOVE or BLMPOP at a time; thrown away on any doubt, never reconnected.
 * - `beat`: nothing else on it, so that no slow reply delays a beat.
 * - `subscriber`: pub/sub; see keepSubscribed.
 */
export type Role = 'fail-fast' | 'worker' | 'blocking' | 'beat' | 'subscriber';

// Full speed at first (a restarted Redis is back in well under a second), then at most one try a second.
const reconnectDelay = (times: number) =>
  Math.min(1000, 50 * 2 ** Math.min(times, 5)) * (0.8 + Math.random() * 0.4);

/**
 * After a failover a connection may still be open to what was the primary: nothing but its refusal to write tells
 * (a blocked command hears UNBLOCKED, and its client is thrown away anyway). The address leads elsewhere by now.
 */
const isNoPrimary = (error: Error) => /^(READONLY|MASTERDOWN)/.test(error.message);

const roleOptions: Record<Role, ClientOptions> = {
  'fail-fast': {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 1,
    commandTimeout: 800,
    connectTimeout: 2000,
    retryStrategy: reconnectDelay,
    reconnectOnError: isNoPrimary,
  },
  worker: {
    enableOfflineQueue: true,
    maxRetriesPerRequest: null,
    // One timer per connection instead of one per command: a silent socket is replaced, its commands re-sent.
    socketTimeout: 5000,
    connectTimeout: 3000,
    retryStrategy: reconnectDelay,
    // 2: and the command is sent again there.
    reconnectOnError: (error) => (isNoPrimary(error) ? 2 : false),
  },
  blocking: {
    lazyConnect: true,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    connectTimeout: 3000,
    retryStrategy: () => null,
  },
  beat: {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    commandTimeout: 2000,
    connectTimeout: 2000,
    retryStrategy: () => 250 + Math.random() * 250,
    reconnectOnError: isNoPrimary,
  },
  subscriber: {
    enableOfflineQueue: true,
    maxRetriesPerRequest: null,
    // The client's own leaves a rejection that nobody handles when it is closed meanwhile: keepSubscribed.
    autoResubscribe: false,
    connectTimeout: 3000,
    retryStrategy: reconnectDelay,
  },
};

/** A client for a role. It connects by itself, and outlives a Redis that is not there yet. */
export function connect(redis: RedisOptions, role: Role, log?: QueueLog): Redis {
  const { tls } = redis;
  const client = new Redis(redis.url, {
    ...roleOptions[role],
    ...(tls && { tls }),
    ...(role === 'fail-fast' && redis.answerMs !== undefined && { commandTimeout: redis.answerMs }),
    protocol: 2,
    replyMapping: 'legacy',
    keepAlive: 10_000,
    disableClientInfo: true,
    connectionName: `vortex-${role}`,
  });
  if (redis.observer !== undefined) observeClient(client, redis.observer);
  let announced = false;
  let wasReady = false;
  client.on('error', (error: Error) => {
    // Once per outage: a client that tries every second must not fill the log.
    if (!announced)
      log?.warn({ role, error: error.message }, 'redis connection lost or refused; trying again');
    announced = true;
  });
  client.on('ready', () => {
    if (announced) log?.info({ role }, 'redis connection is back');
    announced = false;
    if (wasReady) redis.observer?.reconnected();
    wasReady = true;
  });
  if (role === 'fail-fast' || role === 'worker') gatherWrites(client);
  return client;
}

/** Listens to a channel, on every connection anew; `onListening` when nothing is missed from then on. */
export function keepSubscribed(
  subscriber: Redis,
  channel: string,
  onListening: () => void = () => undefined,
): void {
  const subscribe = () => void subscriber.subscribe(channel).then(onListening, () => undefined);
  subscriber.on('ready', subscribe);
  if (subscriber.status === 'ready') subscribe();
}

/**
 * Commands of one turn of the event loop leave as one text in one system call, and their replies come back
 * together, so that settling n jobs costs one round trip (13 commands per write at 64 in flight). Instead
 * of ioredis' auto-pipelining, which builds a pipeline object per batch and runs one at a time.
 */
function gatherWrites(client: Redis): void {
  const gathered = new WeakSet<Socket>();
  const send = client.sendCommand.bind(client);
  client.sendCommand = (command, stream) => {
    const socket = client.stream as Socket | undefined;
    if (socket !== undefined && !gathered.has(socket)) {
      gathered.add(socket);
      gatherSocket(socket);
    }
    return send(command, stream);
  };
}

function gatherSocket(socket: Socket): void {
  const write = socket.write.bind(socket);
  let chunks: (string | Uint8Array)[] = [];
  function flush(): void {
    const gathered = chunks;
    chunks = [];
    write(joined(gathered));
  }
  socket.write = (chunk: string | Uint8Array) => {
    if (chunks.length === 0) atTurnEnd('write', flush);
    chunks.push(chunk);
    return true;
  };
}

function joined(chunks: (string | Uint8Array)[]): string | Uint8Array {
  if (chunks.length === 1 && chunks[0] !== undefined) return chunks[0];
  const texts = chunks.every((chunk) => typeof chunk === 'string');
  if (texts) return chunks.join('');
  return Buffer.concat(chunks.map((chunk) => (typeof chunk === 'string' ? Buffer.from(chunk) : chunk)));
}
