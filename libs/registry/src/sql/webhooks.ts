import { randomBytes } from 'node:crypto';
import { newId } from '@vortex/contracts';
import { deliveryFrom, number, text, textOrNull, webhookFrom } from '../rows.ts';
import type { WatchedQuery, WebhookRegistry } from '../webhooks.ts';
import { writeEvent } from './outbox.ts';
import { all, first, type Row, run, type SqlSession, type Steps } from './steps.ts';

const defaultDeliveries = 50;
/** In the place of a watched question's address; no URL is empty. */
const toWebhooksOnly = '';

export function webhooksOf({ now, read, note }: SqlSession): WebhookRegistry {
  return {
    createWebhook: (input) =>
      note(function* () {
        const row = yield* first(
          `INSERT INTO webhooks (id, tenant, url, events, secret, description, created_at)
           VALUES (:id, :tenant, :url, :events, :secret, :description, :at) RETURNING *`,
          { ...input, id: newId('whk'), events: JSON.stringify(input.events), at: now() },
        );
        if (row === undefined) throw new Error('a webhook was inserted but not returned');
        return webhookFrom(row);
      }),

    async listWebhooks(tenant) {
      const sql = 'SELECT * FROM webhooks WHERE tenant = :tenant ORDER BY created_at, id';
      return (await read(() => all(sql, { tenant }))).map(webhookFrom);
    },

    async getWebhook(tenant, webhookId) {
      const row = await read(() => findWebhook(tenant, webhookId));
      return row === undefined ? null : webhookFrom(row);
    },

    deleteWebhook: (tenant, webhookId) =>
      note(function* () {
        const gone = yield* first(
          'DELETE FROM webhooks WHERE id = :webhookId AND tenant = :tenant RETURNING id',
          {
            tenant,
            webhookId,
          },
        );
        if (gone === undefined) return false;
        yield* run("DELETE FROM deliveries WHERE webhook_id = :webhookId AND state = 'pending'", {
          webhookId,
        });
        return true;
      }),

    recordEvent: ({ url, ...event }) => note(() => writeEvent(event, url === undefined ? [] : [url], now())),

    async claimDeliveries({ leaseMs, limit, exceptOrigins = [] }) {
      const at = now();
      // A handful of receivers at most, so each gets a condition of its own.
      const busy = exceptOrigins.map(
        (_, place) => ` AND substr(d.url, 1, :length${place}) <> :origin${place}`,
      );
      const due = `d.state = 'pending' AND d.next_attempt_at <= :at${busy.join('')}`;
      const values: Record<string, string | number> = { at };
      for (const [place, origin] of exceptOrigins.entries()) {
        values[`origin${place}`] = origin;
        values[`length${place}`] = [...origin].length;
      }
      // Asked every second and nearly always empty: no write transaction for it.
      const any = await read(() => first(`SELECT 1 AS due FROM deliveries d WHERE ${due} LIMIT 1`, values));
      if (any === undefined) return [];
      return note(function* () {
        const rows = yield* all(
          `SELECT d.*, e.type, e.body, w.secret FROM deliveries d
             JOIN events e ON e.id = d.event_id LEFT JOIN webhooks w ON w.id = d.webhook_id
            WHERE ${due} ORDER BY d.next_attempt_at, d.id LIMIT :limit FOR UPDATE OF d SKIP LOCKED`,
          { ...values, limit },
        );
        const claimed = rows.map((row) => ({
          id: text(row, 'id'),
          tenant: text(row, 'tenant'),
          url: text(row, 'url'),
          secret: textOrNull(row, 'secret'),
          eventId: text(row, 'event_id'),
          type: text(row, 'type'),
          body: text(row, 'body'),
          attempt: number(row, 'attempts') + 1,
        }));
        yield* run(
          'UPDATE deliveries SET attempts = attempts + 1, next_attempt_at = :until WHERE id IN :ids',
          { until: at + leaseMs, ids: claimed.map(({ id }) => id) },
        );
        return claimed;
      });
    },

    async countPendingDeliveries() {
      const row = await read(() =>
        first("SELECT COUNT(*) AS pending FROM deliveries WHERE state = 'pending'"),
      );
      return row === undefined ? 0 : number(row, 'pending');
    },

    settleDelivery: (deliveryId, outcome) =>
      note(() =>
        run(
          `UPDATE deliveries SET state = :state, status_code = :statusCode, error = :error,
                  next_attempt_at = :nextAttemptAt, delivered_at = :deliveredAt
            WHERE id = :deliveryId AND state = 'pending'`,
          {
            deliveryId,
            state: outcome.state,
            statusCode: outcome.statusCode,
            error: outcome.state === 'delivered' ? null : outcome.error,
            nextAttemptAt: outcome.state === 'pending' ? outcome.nextAttemptAt : null,
            deliveredAt: outcome.state === 'delivered' ? now() : null,
          },
        ),
      ),

    async listDeliveries(tenant, webhookId, { after, limit = defaultDeliveries } = {}) {
      const next = after === undefined ? '' : 'AND (d.created_at, d.id) < (:afterAt, :afterId)';
      const sql = `SELECT d.*, e.type AS event_type FROM deliveries d JOIN events e ON e.id = d.event_id
                    WHERE d.tenant = :tenant AND d.webhook_id = :webhookId ${next}
                    ORDER BY d.created_at DESC, d.id DESC LIMIT :limit`;
      const place = after === undefined ? {} : { afterAt: after.createdAt, afterId: after.id };
      const values = { tenant, webhookId, limit, ...place };
      return (await read(() => all(sql, values))).map(deliveryFrom);
    },

    replayDelivery: (tenant, webhookId, deliveryId) =>
      note(function* () {
        // One whose webhook is gone has no secret to be signed with.
        const again = yield* first(
          `UPDATE deliveries SET state = 'pending', next_attempt_at = :at, delivered_at = NULL
            WHERE id = :deliveryId AND tenant = :tenant AND webhook_id = :webhookId
              AND EXISTS (SELECT 1 FROM webhooks w WHERE w.id = deliveries.webhook_id)
            RETURNING id`,
          { tenant, webhookId, deliveryId, at: now() },
        );
        return again !== undefined;
      }),

    forgetOldDeliveries: (createdBefore) =>
      note(function* () {
        const gone = yield* all(
          "DELETE FROM deliveries WHERE state <> 'pending' AND created_at < :createdBefore RETURNING id",
          { createdBefore },
        );
        yield* run(
          `DELETE FROM events WHERE created_at < :createdBefore
              AND NOT EXISTS (SELECT 1 FROM deliveries WHERE event_id = events.id)`,
          { createdBefore },
        );
        return gone.length;
      }),

    watchQuery: ({ tenant, jobId, url }) =>
      note(() =>
        run(
          `INSERT INTO watched_queries (job_id, tenant, url, since) VALUES (:jobId, :tenant, :url, :at)
           ON CONFLICT DO NOTHING`,
          { jobId, tenant, url: url ?? toWebhooksOnly, at: now() },
        ),
      ),

    async watchedQueries(limit) {
      const rows = await read(() =>
        all('SELECT * FROM watched_queries ORDER BY since, job_id LIMIT :limit', { limit }),
      );
      return rows.map((row) => ({ ...watchFrom(row), since: number(row, 'since') }));
    },

    unwatchQuery: (jobId) => note(() => run('DELETE FROM watched_queries WHERE job_id = :jobId', { jobId })),

    endWatchedQuery: (jobId, event) =>
      note(function* () {
        const row = yield* first('DELETE FROM watched_queries WHERE job_id = :jobId RETURNING *', { jobId });
        if (row === undefined) return false;
        const { tenant, url } = watchFrom(row);
        yield* writeEvent({ tenant, ...event }, url === null ? [] : [url], now());
        return true;
      }),

    async signingKey() {
      const known = await read(signingKey);
      if (known !== null) return known;
      await note(() =>
        run("INSERT INTO meta (name, value) VALUES ('signing_key', :key) ON CONFLICT DO NOTHING", {
          key: randomBytes(32).toString('hex'),
        }),
      );
      const made = await read(signingKey);
      if (made === null) throw new Error('the signing key was written and is not there');
      return made;
    },
  };
}

function watchFrom(row: Row): WatchedQuery {
  const url = text(row, 'url');
  return {
    tenant: text(row, 'tenant'),
    jobId: text(row, 'job_id'),
    url: url === toWebhooksOnly ? null : url,
  };
}

function* findWebhook(tenant: string, webhookId: string) {
  return yield* first('SELECT * FROM webhooks WHERE id = :webhookId AND tenant = :tenant', {
    tenant,
    webhookId,
  });
}

function* signingKey(): Steps<string | null> {
  const row = yield* first("SELECT value FROM meta WHERE name = 'signing_key'");
  return row === undefined ? null : text(row, 'value');
}
