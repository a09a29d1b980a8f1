import { QueueFull } from '@vortex/queue';
import type { Registry } from '@vortex/registry';

/**
 * Documents that wait for their tenant's turn are not in Redis, which counts those it takes against `max_live_documents`.
 * They are counted in the registry instead: every so often, and what came in here since on top. Several gateways may go
 * beyond by what they accept in that time.
 */
export interface WaitingRoom {
  /** @throws QueueFull */
  enter(documents: number): Promise<void>;
}

const countAgainMs = 1000;

export function createWaitingRoom(options: {
  registry: Pick<Registry, 'countOpenJobs'>;
  most: number;
  now?: () => number;
}): WaitingRoom {
  const { registry, most, now = Date.now } = options;
  let counted: { at: number; open: number } | undefined;

  return {
    async enter(documents) {
      if (counted === undefined || now() - counted.at >= countAgainMs) {
        // Those who enter are among them already.
        counted = { at: now(), open: await registry.countOpenJobs() };
      } else counted.open += documents;
      if (counted.open > most) throw new QueueFull(1000);
    },
  };
}
