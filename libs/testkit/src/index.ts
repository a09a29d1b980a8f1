export { freePort } from './free-port.ts';
export { type PrivateRedis, startPrivateRedis } from './private-redis.ts';
export { openTestRedis, type TestRedis } from './redis.ts';
export { until } from './until.ts';
