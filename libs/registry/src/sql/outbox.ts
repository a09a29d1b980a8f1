import { newId, type WebhookEventType } from '@vortex/contracts';
import { text, textOrNull, webhookFrom } from '../rows.ts';
import type { RecordedEvent } from '../webhooks.ts';
import { all, type Row, run, type Steps } from './steps.ts';

/**
 * Writes an event and one delivery per address that is to be told, in the transaction of what it tells of.
 * An event nobody is to be told is not written: nothing ever reads it.
 */
export function* writeEvent(
  { tenant, type, data, webhookId }: Omit<RecordedEvent, 'url'>,
  urls: readonly string[],
  at: number,
): Steps<{ eventId: string; deliveryIds: string[] }> {
  const eventId = newId('evt');
  const rows = yield* all('SELECT * FROM webhooks WHERE tenant = :tenant ORDER BY created_at, id', {
    tenant,
  });
  const told = rows
    .map(webhookFrom)
    .filter((hook) =>
      webhookId === undefined ? hook.events.some((one) => one === type) : hook.id === webhookId,
    );
  const addresses = [
    ...told.map(({ id, url }) => ({ webhookId: id, url })),
    ...[...new Set(urls)].map((url) => ({ webhookId: null, url })),
  ].map((address) => ({ id: newId('dlv'), ...address }));
  if (addresses.length === 0) return { eventId, deliveryIds: [] };

  const body = JSON.stringify({ type, timestamp: new Date(at).toISOString(), data });
  yield* run(
    'INSERT INTO events (id, tenant, type, body, created_at) VALUES (:eventId, :tenant, :type, :body, :at)',
    { eventId, tenant, type, body, at },
  );
  for (const address of addresses) {
    yield* run(
      `INSERT INTO deliveries (id, tenant, event_id, webhook_id, url, state, next_attempt_at, created_at)
       VALUES (:id, :tenant, :eventId, :webhookId, :url, 'pending', :at, :at)`,
      { ...address, tenant, eventId, at },
    );
  }
  return { eventId, deliveryIds: addresses.map(({ id }) => id) };
}

/** `document.ready`, `.failed`, `.deleted`: of which document, and what became of which of its versions. */
export interface DocumentEvent {
  type: WebhookEventType;
  /** Row of `documents`, as it is after the change (its external id before a deletion). */
  document: Row;
  version: number;
  jobId: string | null;
  more?: Record<string, unknown>;
  urls?: readonly (string | null)[];
  /** Not to the webhooks. */
  onlyUrls?: boolean;
}

export function* writeDocumentEvent(event: DocumentEvent, at: number): Steps<void> {
  const { type, document, version, jobId, more, urls = [], onlyUrls = false } = event;
  const data = {
    document_id: text(document, 'id'),
    external_id: textOrNull(document, 'external_id'),
    collection: text(document, 'collection'),
    title: text(document, 'title'),
    version,
    job_id: jobId,
    ...more,
  };
  const given = urls.filter((url) => url !== null);
  // No webhook has the empty id.
  const to = onlyUrls ? { webhookId: '' } : {};
  yield* writeEvent({ tenant: text(document, 'tenant'), type, data, ...to }, given, at);
}

/** Whether some webhook wants events of this type; the addresses of jobs aside. */
export function* isAnyoneToldOf(tenant: string, type: WebhookEventType): Steps<boolean> {
  const rows = yield* all('SELECT * FROM webhooks WHERE tenant = :tenant', { tenant });
  return rows.map(webhookFrom).some((hook) => hook.events.includes(type));
}
