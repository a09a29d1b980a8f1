import { networkScenarios } from './network.ts';
import { processScenarios } from './processes.ts';
import { redisScenarios } from './redis.ts';
import type { Scenario } from './scenario.ts';

/** In the order they are run. */
export const scenarios: readonly Scenario[] = [...processScenarios, ...networkScenarios, ...redisScenarios];
