export { type PrivateRedis, type PrivateRedisOptions, startPrivateRedis } from './private-redis.ts';
export { openTestRedis, type TestRedis } from './redis.ts';
export { until } from './until.ts';
