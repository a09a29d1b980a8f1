export { type CommandProxy, openCommandProxy, type Strike } from './command-proxy.ts';
export { freePort } from './free-port.ts';
export { MemoryCache } from './memory-cache.ts';
export { type MovableAddress, openMovableAddress } from './movable-address.ts';
export {
  findPostgres,
  type PrivatePostgres,
  postgresMissing,
  startPrivatePostgres,
} from './private-postgres.ts';
export { type PrivateRedis, startPrivateRedis } from './private-redis.ts';
export { openTestRedis, type TestRedis } from './redis.ts';
export { until } from './until.ts';
