import { ApiProblem, type ClientOptions, createClient, type VortexClient } from '@vortex/client';
import { createInspector, type QueueInspector } from '@vortex/queue';
import { type AskQueue, askConnected } from '../ask-queue.ts';
import { dataFolder, instancePaths } from '../folders.ts';
import { gatewayOf, notRunning } from '../instance-address.ts';
import { CommandProblem, messageOf } from '../problem.ts';
import { readRemoteStatus, readStatus } from '../status.ts';
import { readRunFile } from '../supervisor/run-file.ts';
import type { InstanceOptions } from '../use-gateway.ts';
import { isWantedMetric, processKey, type Reading } from './assemble-snapshot.ts';
import { readMetrics, type Samples } from './read-metrics.ts';

const patienceMs = 2000;

/** Reads an instance again and again over connections it keeps. */
export interface InstanceReader {
  /** @throws CommandProblem when nothing runs on the data folder, or nothing has answered at `--url` yet */
  read(): Promise<Reading>;
  close(): Promise<void>;
}

export function createInstanceReader(options: InstanceOptions): InstanceReader {
  return options.url === undefined ? localReader(dataFolder(options.data)) : remoteReader(gatewayOf(options));
}

/** All of it: every process by its own metrics, the queues from Redis. */
function localReader(data: string): InstanceReader {
  let held: { url: string; inspector: QueueInspector } | undefined;
  const ask: AskQueue = async (url, look) => {
    if (held?.url !== url) {
      held?.inspector.close();
      held = { url, inspector: createInspector({ url }) };
    }
    return askConnected(held.inspector, look);
  };
  return {
    async read() {
      const run = readRunFile(instancePaths(data).runFile);
      const pages = (run?.processes ?? []).flatMap(({ service, worker_name, probe }) =>
        probe.kind === 'http'
          ? [{ key: processKey({ name: service, worker_name }), url: new URL('/metrics', probe.url).href }]
          : [],
      );
      const [status, metrics] = await Promise.all([readStatus(data, ask), readPages(pages)]);
      if (status === null || run === null) throw notRunning(data);
      const uptimeS = Math.max(0, Math.round((Date.now() - Date.parse(run.started_at)) / 1000));
      return { atMs: Date.now(), status, uptimeS, metrics };
    },
    close: async () => held?.inspector.close(),
  };
}

/** What a gateway tells: its metrics, and the replicas; both ask for a key with the scope admin, where one is asked for. */
function remoteReader(gateway: ClientOptions): InstanceReader {
  const { url, key } = gateway;
  const client = createClient(gateway);
  let hasAnswered = false;
  return {
    async read() {
      // One that goes away later is shown as such; one that never was there is a wrong address.
      if (!hasAnswered) await assertAnswers(client, url);
      hasAnswered = true;
      const page = {
        key: processKey({ name: 'gateway', worker_name: null }),
        url: new URL('/metrics', url).href,
      };
      const [status, metrics, replicas] = await Promise.all([
        readRemoteStatus(url),
        readPages([page], key),
        listReplicas(client),
      ]);
      return { atMs: Date.now(), status: { ...status, replicas }, uptimeS: null, metrics };
    },
    close: () => client.close(),
  };
}

/** Whatever it says, it is there. */
async function assertAnswers(client: VortexClient, url: string): Promise<void> {
  try {
    await client.health({ signal: AbortSignal.timeout(patienceMs) });
  } catch (error) {
    if (!(error instanceof ApiProblem))
      throw new CommandProblem(`No gateway answers at ${url}: ${messageOf(error)}.`);
  }
}

async function listReplicas(client: VortexClient) {
  try {
    const { replicas } = await client.replicas.list({ signal: AbortSignal.timeout(patienceMs) });
    return replicas.map(({ name, ...replica }) => ({ ...replica, worker_name: name, silent_ms: 0 }));
  } catch {
    // Without a key of the scope admin nothing is told of them; the view has then no rows for them, rather than zeros.
    return [];
  }
}

/** A process that does not answer is left out: what it does is unknown, the view goes on. */
async function readPages(
  pages: readonly { key: string; url: string }[],
  apiKey?: string,
): Promise<Map<string, Samples>> {
  const headers = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` };
  const found = await Promise.all(
    pages.map(async ({ key, url }) => {
      try {
        const reply = await fetch(url, { headers, signal: AbortSignal.timeout(patienceMs) });
        return reply.ok ? ([key, readMetrics(await reply.text(), isWantedMetric)] as const) : null;
      } catch {
        return null;
      }
    }),
  );
  return new Map(found.filter((entry) => entry !== null));
}
