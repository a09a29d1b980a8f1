import { createClient } from '@vortex/client';
import type { AuditProblem, AuditReport } from '@vortex/contracts';
import { launcherName } from './folders.ts';
import { gatewayOf } from './instance-address.ts';
import { table } from './table.ts';

export interface AuditOptions {
  data?: string;
  url?: string;
  collection?: string;
  repair: boolean;
  json: boolean;
}

/**
 * Compares what is stored with what the registry says. False: something is wrong (still, after a repair).
 * @throws ApiProblem, GatewayUnreachable, CommandProblem
 */
export async function audit(options: AuditOptions): Promise<boolean> {
  const client = createClient(gatewayOf(options));
  try {
    const report = await client.audit({
      ...(options.collection !== undefined && { collection: options.collection }),
      ...(options.repair && { repair: true }),
    });
    console.log(options.json ? JSON.stringify(report, null, 2) : describeAudit(report, options.repair));
    return report.clean;
  } finally {
    await client.close();
  }
}

export function describeAudit(report: AuditReport, repair: boolean): string {
  const parts = [
    table(
      ['collection', 'documents', 'chunks', 'stored rows', 'found by words', 'being purged'],
      report.collections.map((one) => [
        ...[one.name, one.documents, one.chunks, one.stored_rows, one.lexical_rows],
        one.pending_purges,
      ]),
    ),
    `${report.originals} originals, ${report.texts} texts`,
  ];
  if (report.problems.length > 0) {
    parts.push(
      table(
        ['problem', 'collection', 'document', 'version', 'state'],
        report.problems.map((one) => [
          ...[one.kind, one.collection, one.document_id, one.version],
          one.repaired ? 'mended' : 'open',
        ]),
      ),
      [...new Set(report.problems.map(adviceOf))].map((line) => `  ${line}`).join('\n'),
    );
  }
  const unseen = report.problem_count - report.problems.length;
  if (unseen > 0) parts.push(`… and ${unseen} more.`);
  parts.push(verdict(report, repair));
  return parts.join('\n\n');
}

function adviceOf({ kind, detail }: AuditProblem): string {
  return `${kind}: ${detail}`;
}

function verdict({ clean, problem_count: count }: AuditReport, repair: boolean): string {
  if (count === 0) return 'clean';
  if (clean) return `clean now: ${count} mended`;
  return repair
    ? 'not clean: what is open above could not be mended'
    : `not clean: ${count} to look at. ${launcherName()} audit --repair mends what it safely can`;
}
