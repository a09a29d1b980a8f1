import { codeScenarios, driverScenarios } from './code.ts';
import { instanceScenarios } from './instance.ts';
import { networkScenarios } from './network.ts';
import { processScenarios } from './processes.ts';
import { redisScenarios } from './redis.ts';
import type { Scenario } from './scenario.ts';
import { trafficScenarios } from './traffic.ts';

/** In the order they are run: what shares a ground stands together. */
export const scenarios: readonly Scenario[] = [
  ...processScenarios,
  ...networkScenarios,
  ...redisScenarios,
  ...trafficScenarios,
  ...codeScenarios,
  ...instanceScenarios,
  ...driverScenarios,
];
