export { freePort } from './free-port.ts';
export { MemoryCache } from './memory-cache.ts';
export {
  findPostgres,
  type PrivatePostgres,
  postgresMissing,
  startPrivatePostgres,
} from './private-postgres.ts';
export { type PrivateRedis, startPrivateRedis } from './private-redis.ts';
export { openTestRedis, type TestRedis } from './redis.ts';
export { until } from './until.ts';
