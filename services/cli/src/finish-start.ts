import { existsSync } from 'node:fs';
import { createClient } from '@vortex/client';
import { defaultTenant, demoCollection } from '@vortex/contracts';
import { readDemoDocuments, sendDemoDocuments } from './demo-documents.ts';
import { isOpen } from './first-key.ts';
import { dataOption, type InstancePaths, launcherName } from './folders.ts';
import { trustGateway, withLocalKey } from './instance-address.ts';
import { findOllama, mockNotice } from './language-model.ts';
import { messageOf } from './problem.ts';
import type { CheckedSettings } from './settings.ts';
import type { InstancePlan } from './supervisor/instance.ts';
import type { Terminal } from './terminal.ts';

/** What `up` does once the services are ready: documentation in, addresses out. */
export async function finishStart(options: {
  plan: InstancePlan;
  demo: boolean;
  checked: CheckedSettings;
  paths: InstancePaths;
  terminal: Terminal;
  signal?: AbortSignal;
}): Promise<void> {
  const { plan, paths } = options;
  if (options.demo) await loadDocumentation(options);
  if (options.signal?.aborted) return;
  const watch = plan.groups.flat().find(({ service }) => service === 'prometheus');
  const instance = { gateway_url: plan.gatewayUrl, redis_url: plan.redisUrl, llm: plan.llm };
  await sayWhereItIs({ ...instance, prometheus_url: watch?.url ?? null }, paths);
}

/** A stack without its documentation is still a stack: a failure is told, and the next `up` tries again. */
async function loadDocumentation(options: Parameters<typeof finishStart>[0]): Promise<void> {
  const { plan, paths, terminal, signal } = options;
  const { store } = options.checked.settings.retriever;
  const { embedding } = options.checked.settings.encoder;
  trustGateway({ gateway_cert_file: plan.gatewayCertFile });
  const client = createClient(withLocalKey(plan.gatewayUrl, paths));
  const step = terminal.step(`Reading Vortex's documentation into ${demoCollection}`);
  try {
    const result = await sendDemoDocuments({
      client,
      documents: readDemoDocuments(),
      recordFile: paths.demoFile,
      place: `${store.qdrant_url ?? 'lancedb'} ${embedding.model}`,
      onProgress: (done, total) => step.update(`${done} of ${total} documents`),
      ...(signal && { signal }),
    });
    if (result.failed.length === 0) {
      const { sent, unchanged } = result;
      step.done(
        `Collection ${demoCollection}: ${sent === 0 ? `${unchanged} documents, unchanged` : `${sent} documents read`}`,
      );
      return;
    }
    step.fail();
    for (const { path, reason } of result.failed) terminal.note(`  ${path}: ${reason}`);
  } catch (error) {
    step.fail();
    if (signal?.aborted) return;
    terminal.note(`  ${messageOf(error)}`);
  } finally {
    await client.close();
  }
  terminal.note(`  The next ${launcherName()} up tries again.`);
}

/** The last thing `up` says, on standard output. */
export async function sayWhereItIs(
  instance: { gateway_url: string; redis_url: string; llm: string; prometheus_url: string | null },
  paths: InstancePaths,
): Promise<void> {
  const data = dataOption(paths.data);
  const launcher = launcherName();
  const isFree = await isOpen(instance.gateway_url);
  const notice = instance.llm === 'mock' ? [mockNotice(await findOllama())] : [];
  const lines = [
    '',
    `Gateway   ${instance.gateway_url}    (API: ${instance.gateway_url}/docs)`,
    `Redis     ${withoutPassword(instance.redis_url)}`,
    ...(instance.prometheus_url === null ? [] : [`Watched   ${instance.prometheus_url}    (Prometheus)`]),
    `Data      ${paths.data}    (logs in ${paths.logs})`,
    isFree
      ? `Keys      none is asked for: whoever reaches the gateway is let in, as tenant ${defaultTenant}`
      : `Keys      one is asked for; ${launcher} keys list${data} shows them`,
    ...(isFree
      ? [
          `          ${launcher} keys create --scopes query,ingest,admin${data}   closes the door (unless auth.mode is open)`,
        ]
      : []),
    '',
    'Try it:',
    existsSync(paths.demoFile)
      ? `  ${launcher} ask "What does Vortex do when a worker dies?" --collection ${demoCollection}${data}`
      : `  ${launcher} ingest FOLDER --collection notes${data}`,
    `  ${launcher} status${data}`,
    `  ${launcher} down${data}`,
    ...(notice.length > 0 ? ['', ...notice] : []),
  ];
  console.log(lines.join('\n'));
}

function withoutPassword(url: string): string {
  return url.replace(/:[^:@/]+@/, ':••••@');
}
