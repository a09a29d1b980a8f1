import type { ServiceConfig } from '@vortex/config';
import type { TextStore } from '@vortex/documents';
import type { Logger, Metrics } from '@vortex/observability';
import type { QueueInspector, Submitter } from '@vortex/queue';
import type { Registry, WebhookRules } from '@vortex/registry';
import type { QueryMeter } from './query-meter.ts';
import type { ReplicaSnapshot } from './replica-snapshot.ts';

/** What the routes are made of; `main.ts` gives the real things, tests give what the test is about. */
export interface GatewayDependencies {
  settings: ServiceConfig<'gateway'>['gateway'];
  submitter: Submitter;
  inspector: QueueInspector;
  registry: Registry;
  /** Where webhooks may be sent; an address they refuse by its form is refused when it is given. */
  webhookRules: WebhookRules;
  texts: Pick<TextStore, 'get'>;
  replicas: ReplicaSnapshot;
  metrics: Metrics;
  log: Logger;
  version: string;
  /** True from SIGTERM on: readiness is off, open requests finish. */
  isDraining(): boolean;
}

/** The dependencies with what the app makes of them once. */
export interface GatewayParts extends GatewayDependencies {
  meter: QueryMeter;
}
