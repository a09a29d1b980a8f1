import type { WebhookEventType } from '@vortex/contracts';
import type { ListPlace } from './records.ts';

/**
 * Webhooks and their outbox. An event is written in the transaction of the change it tells of, one delivery
 * per address that wants it; whoever delivers claims a few at a time under a lease, so that a deliverer that
 * dies is followed by another: at least once, each attempt noted.
 *
 *   pending ──claimDeliveries (leased)──► delivered
 *      ▲            └──► pending again, later ──► … ──► failed ──replayDelivery──┐
 *      └──────────────────────────────────────────────────────────────────────────┘
 */
export interface WebhookRegistry {
  createWebhook(input: NewWebhook): Promise<WebhookRecord>;
  listWebhooks(tenant: string): Promise<WebhookRecord[]>;
  getWebhook(tenant: string, webhookId: string): Promise<WebhookRecord | null>;
  /** Its pending deliveries go with it. False: no such webhook. */
  deleteWebhook(tenant: string, webhookId: string): Promise<boolean>;

  /**
   * Writes an event that no other change of the registry stands for, such as `webhook.test` (to one webhook).
   * `url`: also to that address, signed by the installation's own key. With nobody to tell nothing is written.
   */
  recordEvent(input: RecordedEvent): Promise<{ eventId: string; deliveryIds: string[] }>;

  /** `exceptOrigins` (what a URL begins with, up to its path): receivers that are busy with as much as they get at a time. */
  claimDeliveries(options: {
    leaseMs: number;
    limit: number;
    exceptOrigins?: readonly string[];
  }): Promise<DueDelivery[]>;
  /** Of all tenants: those that have not ended. */
  countPendingDeliveries(): Promise<number>;
  settleDelivery(deliveryId: string, outcome: DeliveryOutcome): Promise<void>;
  /** Newest first, at most `limit`, behind `after`. */
  listDeliveries(
    tenant: string,
    webhookId: string,
    page?: { after?: ListPlace; limit?: number },
  ): Promise<DeliveryRecord[]>;
  /** Sends it once more, whatever became of it. False: the webhook has no such delivery, or is gone. */
  replayDelivery(tenant: string, webhookId: string, deliveryId: string): Promise<boolean>;
  /** Removes settled deliveries created before. */
  forgetOldDeliveries(createdBefore: number): Promise<number>;

  /** An asynchronous question whose end is to be told: to the webhooks that want it, and to `url`. */
  watchQuery(input: WatchedQuery): Promise<void>;
  /** Oldest first. */
  watchedQueries(limit: number): Promise<(WatchedQuery & { since: number })[]>;
  /** The question was not accepted. */
  unwatchQuery(jobId: string): Promise<void>;
  /**
   * Records the end of a watched question and ends the watch, in one transaction: of several that look at it, one
   * tells. False: it is not watched (any more), and nothing was recorded.
   */
  endWatchedQuery(
    jobId: string,
    event: { type: 'query.completed' | 'query.failed'; data: Record<string, unknown> },
  ): Promise<boolean>;

  /** 32 random bytes (hex), made once per installation: the root of the keys that sign deliveries to `webhook_url`s. */
  signingKey(): Promise<string>;
}

export interface NewWebhook {
  tenant: string;
  url: string;
  events: readonly WebhookEventType[];
  /** `whsec_…` */
  secret: string;
  description: string | null;
}

export interface WebhookRecord {
  id: string;
  tenant: string;
  url: string;
  events: WebhookEventType[];
  secret: string;
  description: string | null;
  createdAt: number;
}

export interface WatchedQuery {
  tenant: string;
  jobId: string;
  /** Null: only to webhooks. */
  url: string | null;
}

export interface RecordedEvent {
  tenant: string;
  type: WebhookEventType | 'webhook.test';
  data: Record<string, unknown>;
  /** Only to this webhook; all that want the type when absent. */
  webhookId?: string;
  url?: string;
}

export interface DueDelivery {
  id: string;
  tenant: string;
  url: string;
  /** The webhook's secret; null for a `webhook_url`: derive it from the signing key. */
  secret: string | null;
  eventId: string;
  type: string;
  /** The event's body as it is to be sent, every time the same bytes. */
  body: string;
  /** 1 for the first. */
  attempt: number;
}

export type DeliveryOutcome =
  | { state: 'delivered'; statusCode: number }
  | { state: 'pending'; statusCode: number | null; error: string; nextAttemptAt: number }
  | { state: 'failed'; statusCode: number | null; error: string };

export interface DeliveryRecord {
  id: string;
  webhookId: string | null;
  url: string;
  eventId: string;
  eventType: string;
  state: 'pending' | 'delivered' | 'failed';
  attempts: number;
  statusCode: number | null;
  error: string | null;
  nextAttemptAt: number | null;
  createdAt: number;
  deliveredAt: number | null;
}
